"""How far a phantom came, and the words for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Reached(StrEnum):
    """How far the phantom came."""

    SENT = "sent"  # it lies in the drop-box, and no machine took it
    TAKEN = "taken"  # a machine took it in
    READ = "read"  # its result is there
    REJECTED = "rejected"  # a machine would not take it
    UNREAD = "unread"  # it was taken, everything ended, and there is no result


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be proved.

    Attributes:
        deployment: Its name.
        bucket: Of the deployment.
        tenant: Whose drop-box the phantom goes to.
        queue_url: That S3's events come to.
        groups: Names of the groups of machines that take in what arrives.
        reads: Whether a result is expected; else being taken is the end.
        patience_s: Longest wait.
    """

    deployment: str
    bucket: str
    tenant: str
    queue_url: str
    groups: Sequence[str]
    reads: bool
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was proved.

    Attributes:
        ok: Whether it came as far as it should.
        reached: How far it came.
        text: That, in words.
        hint: What to do next; empty where nothing is.
        files: Of the result.
        waited_s: How long it took.
    """

    ok: bool
    reached: Reached
    text: str
    hint: str = ""
    files: tuple[str, ...] = ()
    waited_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look.

    Attributes:
        taken: The arrival is there.
        settled: The entry left the drop-box, all its jobs ended.
        rejected: The entry was put aside.
        files: Of the result, once that is whole.
        messages: That wait in the queue, delayed ones too.
        wanted: Machines that there shall be.
        working: Machines in service.
        doing: What the ledger says of the job; empty where it says nothing.
        failed: Why the entry or a job of it failed, by the ledger.
        job: Id of that job.
    """

    taken: bool
    settled: bool
    rejected: bool
    files: tuple[str, ...]
    messages: int
    wanted: int
    working: int
    doing: str = ""
    failed: str = ""
    job: str = ""


def words(seen: Seen) -> str:
    """Return what is waited for."""
    if seen.files:
        return "its result is there; waiting until the drop-box is tidy"
    if seen.taken:
        return f"taken in; waiting for its result{f': {seen.doing}' if seen.doing else ''}"
    if seen.working:
        return f"{seen.working} machines work; waiting until one takes the phantom in"
    if seen.wanted:
        return f"{seen.wanted} machines were asked for; waiting until one is in service, which takes minutes"
    return f"{seen.messages} messages wait; waiting until the waker asks for a machine"


def stopped(seen: Seen, plan: Plan, waited_s: float) -> Verdict:
    """Return where it stopped when nobody waits any longer."""
    after = f"after {waited_s / 60:.0f} minutes"
    if seen.taken:
        where = f"taken in, and not read {after}{f': {seen.doing}' if seen.doing else ''}"
        told = f" --filter {seen.job}" if seen.job else ""
        hint = f"bedside deploy logs --part workers{told}"
    elif seen.working:
        where = f"{seen.working} machines work, and none has taken it in {after}"
        hint = "bedside deploy logs --part workers"
    elif seen.wanted:
        where = f"{seen.wanted} machines were asked for, and none is in service {after}"
        hint = "bedside deploy logs --part machines"
    elif seen.messages:
        where = f"{seen.messages} messages wait, and nobody asked for a machine {after}"
        hint = "bedside deploy logs --part waker"
    else:
        where = f"nothing of it came to the queue {after}"
        hint = "bedside deploy plan, which shows whether the bucket's events are as they should be"
    return Verdict(
        ok=False,
        reached=Reached.TAKEN if seen.taken else Reached.SENT,
        text=f"not verified: the phantom of tenant {plan.tenant} stopped: {where}",
        hint=hint,
        waited_s=waited_s,
    )
