"""From settings to an open deployment, its ledger's schema made or upgraded."""

import os
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bedside.errors import ConfigError, Unavailable
from bedside.log import Log, silent
from bedside.ports import Ledger
from bedside.tenants.directory import TenantDirectory
from bedside.wiring.deployment import Deployment
from bedside.wiring.queue import open_hints
from bedside.wiring.store import open_store

if TYPE_CHECKING:
    from bedside.adapters.sql import SqlLedger
    from bedside.config import Settings

#: Names below the root that are no tenants.
RESERVED = frozenset({"releases"})
#: End of the names of AWS's databases: the one that `bedside deploy` makes lets in nobody from outside.
RDS = ".rds.amazonaws.com"


def open_deployment(settings: "Settings", *, log: Log = silent) -> Deployment:
    """Open the deployment of some settings, its ledger's schema made or upgraded.

    Raises:
        ConfigError: A tenant's name cannot be one, or the ledger's or the store's URL is wrong.
        Unavailable: The ledger or the root folder is out of reach.
    """
    from bedside.adapters.local.clock import SystemClock

    for tenant in settings.system.tenants:
        if tenant in RESERVED:
            raise ConfigError(f"system.tenants: {tenant!r} is the name of another folder below the root")
    try:
        settings.system.root.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise Unavailable(
            f"system.root: {settings.system.root} cannot be made: {exc.strerror}", hint="bedside config show"
        ) from exc
    ledger, clock = _ledger(settings), SystemClock()
    tenants = TenantDirectory(settings.system.tenants, ledger, clock.monotonic)
    store = open_store(settings, tenants.buckets)
    prepared(ledger, settings.ledger.url)
    deployment = Deployment(
        settings=settings,
        ledger=ledger,
        records=ledger.records,
        blobs=store.blobs,
        clock=clock,
        tenants=tenants,
        tidy_store=store.tidy,
        log=log,
    )

    def note(action: str, /, **fields: object) -> None:
        deployment.log(action, **fields)  # whichever log it has by then

    deployment.hints = open_hints(settings, log=note)
    if deployment.hints is not None:
        from bedside.worker.hints import hinting

        deployment.ledger = hinting(ledger, deployment.hints, deployment.clock, note)
    return deployment


def prepared(ledger: Ledger, url: str) -> None:
    """Make or upgrade a ledger's schema; where it cannot be reached, say how else it can be asked.

    Raises:
        Unavailable: It is out of reach.
    """
    try:
        ledger.prepare()
    except Unavailable as exc:
        if (urlsplit(url).hostname or "").endswith(RDS):
            exc.hint = (
                "it admits the deployment's machines only: bedside deploy run -- job list, and the like; "
                "on such a machine: bedside doctor"
            )
        raise


def ledger_state(settings: "Settings") -> str:
    """Return what a check says of the ledger: what it is and how many jobs wait in it.

    Raises:
        ConfigError: Its URL is wrong.
        Unavailable: It is out of reach.
    """
    scheme = settings.ledger.url.partition(":")[0].partition("+")[0] or "sqlite"
    if not settings.ledger.url and not (settings.system.root / "ledger.db").exists():
        return "sqlite, not made yet; bedside serve makes it"
    ledger = _ledger(settings)
    try:
        prepared(ledger, settings.ledger.url)
        waiting = sum(ledger.depth().values())
    finally:
        ledger.close()
    return f"{scheme}, {waiting} jobs wait"


def worker_name() -> str:
    """Return a name for this process that no other worker has or had."""
    return f"{socket.gethostname()}-{os.getpid()}-{os.urandom(3).hex()}"


def _ledger(settings: "Settings") -> "SqlLedger":
    from bedside.adapters.sql import SqlLedger

    file = (settings.system.root / "ledger.db").absolute()
    return SqlLedger(settings.ledger.url or f"sqlite:///{file}")
