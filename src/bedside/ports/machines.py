"""Machines of a deployment, and commands that run on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Outcome(Enum):
    """What became of a command that was sent."""

    #: It ended by itself; its exit code says how.
    ENDED = "ended"
    #: Somebody took it back.
    CANCELLED = "cancelled"
    #: It took longer than it was given.
    TIMED_OUT = "timed out"
    #: No machine took it.
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine.

    Attributes:
        id: As the cloud names it.
        group: Group that it belongs to.
        works: It is in service: not starting, stopped, or about to leave.
        listens: Commands can be sent to it.
    """

    id: str
    group: str
    works: bool
    listens: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command said at its end: its outcome, its exit code, and what it printed of each stream."""

    outcome: Outcome
    code: int
    out: str
    err: str


class Machines(Protocol):
    """The machines of one account in one region.

    A call that is not permitted raises `ConfigError` with the missing action and its fix; what does not
    answer raises `Unavailable`.
    """

    def of(self, groups: Sequence[str]) -> Sequence[Machine]:
        """Return the machines of those groups that exist, in the order of the groups."""
        ...

    def raise_to_one(self, group: str) -> None:
        """Let a group that has no machine have one."""
        ...

    def send(self, document: str, machine: str, arguments: str, *, timeout_s: int) -> str:
        """Send a command to a machine; return its id.

        Args:
            document: What runs there.
            machine: Its id.
            arguments: Given to it.
            timeout_s: After which it is ended.

        Raises:
            NotFound: There is no such document.
            Unavailable: The machine takes no commands.
        """
        ...

    def said(self, command: str, machine: str) -> Said | None:
        """Return what a command said, or None while it is under way."""
        ...

    def cancel(self, command: str, machine: str) -> None:
        """End a command; one that has ended stays as it is."""
        ...
