"""A tenant: a hospital, a department, a practice; who it is, where its objects lie, and how it ended.

Tenants form a tree: ``hospital/radiology/ct`` as people and groups write it. Everything that is kept
bears its *name*, the same with dots (``hospital.radiology.ct``), since a slash would begin another
folder or another part of a key (decision 120). Names from before are trees of one part.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bedside.domain.keys import check_tenant
from bedside.errors import ErrorCode, UsageError, told

#: What lies beside the tenants' folders; a tenant of such a name would write into it. SQLite keeps more
#: files whose names begin with the ledger's.
_RELEASES = "releases"
_LEDGER = "ledger.db"

#: S3's classes of storage for what is kept; from the last two it must be restored before it is read.
STORAGE_CLASSES = (
    "STANDARD",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
)


class TenantState(StrEnum):
    """How far a tenant's making or ending is."""

    MAKING = "making"
    ACTIVE = "active"
    CLOSING = "closing"
    CLOSED = "closed"


class Ending(StrEnum):
    """What becomes of a closed tenant's data."""

    ARCHIVE = "archive"  # copied elsewhere; what is here stays readable
    REMOVE = "remove"  # gone


#: From which states a tenant may come into another. Archived ones can still be removed.
MOVES: Mapping[TenantState, frozenset[TenantState]] = {
    TenantState.ACTIVE: frozenset({TenantState.MAKING, TenantState.ACTIVE}),
    TenantState.CLOSING: frozenset({TenantState.MAKING, TenantState.ACTIVE, TenantState.CLOSED}),
    TenantState.CLOSED: frozenset({TenantState.CLOSING}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantBuckets:
    """Buckets of one tenant alone.

    Attributes:
        input: Takes the drop-box, what arrived, and what could not be used.
        output: Takes results.
    """

    input: str
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One tenant.

    Attributes:
        name: As in keys and in the ledger, parts divided by dots.
        state: How far its making or ending is.
        buckets: Its own, or None where it shares the deployment's store.
        ending: What becomes, or became, of its data; None while it is served.
        place: Where it is archived to; empty otherwise.
        made_at: When it was made or adopted.
        closed_at: When it was closed, or None.
    """

    name: str
    state: TenantState
    made_at: datetime
    buckets: TenantBuckets | None = None
    ending: Ending | None = None
    place: str = ""
    closed_at: datetime | None = None

    @property
    def path(self) -> str:
        """Its place in the tree, as people write it."""
        return path_of(self.name)

    def active(self) -> "Tenant":
        """Return it served."""
        return self._moved(TenantState.ACTIVE)

    def closing(self, ending: Ending, place: str = "") -> "Tenant":
        """Return it about to end.

        Raises:
            UsageError: It is removed already, or another end was begun.
        """
        if self.ending is Ending.REMOVE and self.state is TenantState.CLOSED:
            raise UsageError(
                f"tenant {self.path} was removed already", hint=f"bedside tenant show {self.path}"
            )
        if self.state is TenantState.CLOSING:
            # A removal may take the place of an archiving that broke off, and not the other way round.
            if self.ending is Ending.REMOVE and ending is Ending.ARCHIVE:
                raise UsageError(
                    f"tenant {self.path}: its removal has begun, so that what is left cannot be archived",
                    hint=f"bedside tenant delete {self.path} --remove",
                )
            return replace(self, ending=ending, place=place)
        if self.state is TenantState.CLOSED and ending is Ending.ARCHIVE:
            raise UsageError(
                f"tenant {self.path} is archived already, in {self.place or 'its own buckets'}",
                hint=f"bedside tenant delete {self.path} --remove",
            )
        return replace(self._moved(TenantState.CLOSING), ending=ending, place=place)

    def closed(self, now: datetime) -> "Tenant":
        """Return it ended; what is removed has no buckets any more."""
        buckets = None if self.ending is Ending.REMOVE else self.buckets
        return replace(self._moved(TenantState.CLOSED), buckets=buckets, closed_at=now)

    def _moved(self, state: TenantState) -> "Tenant":
        if self.state not in MOVES[state]:
            raise UsageError(
                f"tenant {self.path} is {self.state}, and cannot become {state}",
                hint=f"bedside tenant show {self.path}",
            )
        return replace(self, state=state)


def name_of(path: str) -> str:
    """Return the name that a path is kept under; a name is taken too.

    Raises:
        UsageError: It is no path of a tenant.
    """
    return check_tenant(path.strip("/").replace("/", "."))


def path_of(name: str) -> str:
    """Return a tenant's place in the tree, as people write it."""
    return name.replace(".", "/")


def unrecorded(name: str, now: datetime) -> Tenant:
    """Return a tenant that was served before there were records."""
    return Tenant(name=name, state=TenantState.ACTIVE, made_at=now)


def check_new(name: str) -> str:
    """Return a name that a tenant may be given from now on.

    Raises:
        UsageError: Something else of a deployment has that name.
    """
    if check_tenant(name) == _RELEASES or name.startswith(_LEDGER):
        raise UsageError(
            f"tenant {name!r}: something else in a deployment's folder has that name",
            hint="bedside tenant create --help",
            told=told(ErrorCode.NAME_REFUSED),
        )
    return name


def holds(above: str, name: str) -> bool:
    """Whether a tenant is another one or lies below it in the tree; empty is the root, above all."""
    return not above or name == above or name.startswith(f"{above}.")


def check_idle(name: str, running: int) -> None:
    """Refuse to end a tenant while something works for it.

    Raises:
        UsageError: Jobs run.
    """
    if running:
        raise UsageError(
            f"tenant {path_of(name)}: {running} jobs run",
            hint=f"bedside job list --tenant {path_of(name)} --state running, then bedside job cancel JOB",
            told=told(ErrorCode.TENANT_BUSY, jobs=running),
        )
