"""Making and ending tenants from the portal.

To end one may take minutes, which no browser waits for: the answer comes as soon as it is clear that it can
begin, the work goes on behind it, and how it went is noted in the audit trail. What broke off is finished
by asking once more. Archives go only where the configuration says, since a place of somebody's choice would
be any folder that this machine can write to.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bedside.domain.job import JobState
from bedside.domain.person import Right
from bedside.domain.tenant import STORAGE_CLASSES, Ending, Tenant, check_idle, check_new, name_of, unrecorded
from bedside.errors import BedsideError, ErrorCode, UsageError, told
from bedside.portal.access.caller import Caller
from bedside.portal.access.trail import note
from bedside.portal.here import Here
from bedside.portal.tenants.needs import NodePlace
from bedside.ports.audit import AuditFilter
from bedside.tenants.make import Made
from bedside.wiring.endings import archive_tenant, open_ender, open_maker


@dataclass(frozen=True, slots=True, kw_only=True)
class EndWish:
    """How somebody wants a tenant to end.

    Attributes:
        ending: What becomes of its data.
        confirm: Its path, typed by hand: a yes is clicked too easily for what cannot be taken back.
        place: One of ``portal.archives``, where it is archived.
        storage_class: Of copies in S3; empty is the standard one.
    """

    ending: Ending
    confirm: str
    place: str = ""
    storage_class: str = ""


def make(here: Here, caller: Caller, path: str, *, own_buckets: bool) -> Made:
    """Make a tenant, or finish what broke off.

    Raises:
        NotPermitted: The caller administers neither it nor a node above.
        UsageError: It cannot have that name, or exists.
    """
    name = check_new(name_of(path.strip()))
    caller.person.must(Right.ADMINISTER, name)
    made = open_maker(here.deployment).create(name, own_buckets=own_buckets)
    here.deployment.tenants.look_again()
    note(here, caller, "tenant.adopted" if made.adopted else "tenant.made", tenant=name, object=name)
    return made


def end(place: NodePlace, wish: EndWish) -> Callable[[], None]:
    """Check that a tenant can be ended so, note it, and return what does it.

    Raises:
        UsageError: Its path was not typed, it cannot be ended so, or jobs are in the way.
    """
    here, node, deployment = place.here, place.node, place.here.deployment
    if not node.is_tenant:
        raise UsageError(f"{node.path} is no tenant: it has nothing that could be ended")
    if wish.confirm.strip() != node.path:
        raise UsageError(
            f"the name was not typed as it is: {node.path}",
            told=told(ErrorCode.NAME_NOT_TYPED, path=node.path),
        )
    if wish.storage_class not in {"", *STORAGE_CLASSES}:
        raise UsageError("storage class: S3 has none of that name", hint=", ".join(STORAGE_CLASSES))
    tenant = node.record or unrecorded(node.name, deployment.clock.now())
    archives = deployment.settings.portal.archives
    if wish.ending is Ending.ARCHIVE and wish.place not in archives:
        raise UsageError(
            f"none of the {len(archives)} places for archives was chosen", hint="set portal.archives"
        )
    tenant.closing(wish.ending, wish.place if wish.ending is Ending.ARCHIVE else "")
    _check_jobs(here, tenant, wish.ending)
    ender = open_ender(deployment, node.name, unarchive=wish.ending is Ending.REMOVE)
    note(
        here,
        place.caller,
        "tenant.closing",
        tenant=node.name,
        object=node.name,
        detail={"ending": wish.ending, "place": wish.place if wish.ending is Ending.ARCHIVE else ""},
    )

    def go() -> None:
        try:
            deployment.ledger.put_tenant(tenant, over=None)  # one from before there were records
            if wish.ending is Ending.ARCHIVE:
                archive_tenant(deployment, ender, tenant, wish.place, wish.storage_class, _silent)
            else:
                ender.remove(tenant)
        except BedsideError as problem:
            detail = {"reason": problem.message}
            note(here, place.caller, "tenant.stopped", tenant=node.name, object=node.name, detail=detail)
        else:
            note(here, place.caller, "tenant.closed", tenant=node.name, object=node.name)
        deployment.tenants.look_again()

    return go


def stopped(here: Here, name: str) -> str:
    """Return why the last ending of a tenant broke off; empty where none did."""
    wanted = AuditFilter(nodes=[name], action="tenant", object=name)
    last = here.deployment.records.audit.records(wanted, limit=1)
    return last[0].deed.detail.get("reason", "") if last and last[0].deed.action == "tenant.stopped" else ""


def _check_jobs(here: Here, tenant: Tenant, ending: Ending) -> None:
    """Refuse at once what would be refused later; the room checks again."""
    jobs = here.deployment.records.figures.states(frozenset({tenant.name}))
    check_idle(tenant.name, jobs.get(JobState.RUNNING, 0))
    waiting = jobs.get(JobState.QUEUED, 0)
    if ending is Ending.ARCHIVE and waiting:
        raise UsageError(f"tenant {tenant.path}: {waiting} jobs wait, whose results would be in no archive")


def _silent(_: str) -> None:
    """Tell nobody: the page shows the state."""
