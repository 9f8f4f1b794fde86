"""`SqlLedger`: the parts of the ledger put together over one database."""

from bedside.adapters.sql import migrate
from bedside.adapters.sql.arrivals import Arrivals
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.exports import Exports
from bedside.adapters.sql.filters import Versions
from bedside.adapters.sql.following import Lists
from bedside.adapters.sql.history import History
from bedside.adapters.sql.leases import Leases
from bedside.adapters.sql.queue import Queue
from bedside.adapters.sql.records import SqlRecords
from bedside.adapters.sql.releases import Releases
from bedside.adapters.sql.results import Results
from bedside.adapters.sql.tenants import Tenants


class SqlLedger(Tenants, Arrivals, Lists, History, Releases, Queue, Leases, Results, Exports):
    """A `bedside.ports.Ledger` on SQLite or PostgreSQL; safe between threads and processes.

    Args:
        url: SQLAlchemy URL, e.g. ``sqlite:////var/lib/bedside/ledger.db`` or
            ``postgresql://bedside@db.example/bedside``. Nothing is opened until the first call.

    Raises:
        ConfigError: The URL names another kind of database, or no file.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        self._versions = Versions()
        self.records = SqlRecords(self._database)

    def prepare(self) -> None:
        """Create or upgrade the schema; safe to call at every start and from several processes.

        Raises:
            ConfigError: A newer bedside has upgraded it already.
        """
        migrate.prepare(self._database)

    def close(self) -> None:
        """Give back connections."""
        self._database.close()
