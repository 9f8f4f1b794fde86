"""`SqlRecords`: what the portal keeps, in the ledger's database."""

from bedside.adapters.sql.accounts import SqlAccounts
from bedside.adapters.sql.audit import SqlAudit
from bedside.adapters.sql.catalogue import SqlCatalogue
from bedside.adapters.sql.engine import Database
from bedside.adapters.sql.figures import SqlFigures
from bedside.adapters.sql.identities import SqlIdentities
from bedside.adapters.sql.judgements import SqlJudgements
from bedside.adapters.sql.second_factors import SqlSecondFactors
from bedside.adapters.sql.uploads import SqlUploads


class SqlRecords:
    """A `bedside.ports.records.Records` on SQLite or PostgreSQL; safe between threads and processes.

    Args:
        database: The ledger's, which prepares and closes it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.accounts = SqlAccounts(database)
        self.audit = SqlAudit(database)
        self.catalogue = SqlCatalogue(database)
        self.figures = SqlFigures(database)
        self.identities = SqlIdentities(database)
        self.judgements = SqlJudgements(database)
        self.second_factors = SqlSecondFactors(database)
        self.uploads = SqlUploads(database)
