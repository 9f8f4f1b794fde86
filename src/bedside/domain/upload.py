"""An upload: one ZIP that a person sends to a drop-box in parts, over as many connections as it takes.

Owns where each part lies in the whole, and the moves between states. Nothing of it becomes input before
all parts are there; what the person calls the files is kept for that person's eyes alone.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from bedside.errors import ErrorCode, Overtaken, UsageError, told

#: Bytes of each part but the last. S3 takes 5 MiB and more; larger ones are lost whole when a line breaks.
PART_BYTES = 8 * 2**20
#: Most parts of one upload, by S3's limit.
MOST_PARTS = 10_000
#: Most bytes of one upload, whatever is configured.
MOST_BYTES = PART_BYTES * MOST_PARTS
#: Characters of a name that are kept, and most of a fingerprint.
LONGEST_NAME, LONGEST_FINGERPRINT = 200, 128


class UploadState(StrEnum):
    """Where an upload stands."""

    OPEN = "open"  # parts are taken
    COMPLETING = "completing"  # all parts are there; they are put together
    COMPLETE = "complete"  # it lies in the drop-box, or intake has it already
    CANCELLED = "cancelled"  # its person gave it up
    EXPIRED = "expired"  # nobody went on with it in time


class UploadMove(StrEnum):
    """What happens to an upload."""

    COMPLETE = "complete"
    COMPLETED = "completed"
    REOPEN = "reopen"
    CANCEL = "cancel"
    EXPIRE = "expire"


TRANSITIONS: dict[tuple[UploadState, UploadMove], UploadState] = {
    (UploadState.OPEN, UploadMove.COMPLETE): UploadState.COMPLETING,
    (UploadState.OPEN, UploadMove.CANCEL): UploadState.CANCELLED,
    (UploadState.OPEN, UploadMove.EXPIRE): UploadState.EXPIRED,
    (UploadState.COMPLETING, UploadMove.COMPLETE): UploadState.COMPLETING,  # after a crash, or by another tab
    (UploadState.COMPLETING, UploadMove.COMPLETED): UploadState.COMPLETE,
    (UploadState.COMPLETING, UploadMove.REOPEN): UploadState.OPEN,  # a part is missing or damaged after all
    (UploadState.COMPLETING, UploadMove.EXPIRE): UploadState.EXPIRED,
    (UploadState.COMPLETE, UploadMove.COMPLETE): UploadState.COMPLETE,  # said twice
    (UploadState.CANCELLED, UploadMove.CANCEL): UploadState.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One upload of one person.

    Attributes:
        tenant: Whose drop-box.
        id: Drawn; what keys, URLs, logs and the audit trail say.
        person: Subject of who sends it; nobody else finds it.
        name: What the person calls the files. May be a patient's name: shown to that person only.
        fingerprint: Of names, sizes and times of the files, so that picking them again goes on with it.
        files: How many were picked.
        size_bytes: Of the ZIP.
        part_bytes: Of each part but the last.
        ticket: By which the store knows it.
        state: Where it stands.
        begun_at: When it was begun.
        changed_at: When its state changed last.
        expires_at: When it is given up, if it is still open then.
        entry: Id of the drop-box entry that it became; empty before, and where that was not seen.
    """

    tenant: str
    id: str
    person: str
    name: str = field(repr=False)
    fingerprint: str = field(repr=False)
    files: int
    size_bytes: int
    part_bytes: int = PART_BYTES
    ticket: str = field(repr=False)
    state: UploadState = UploadState.OPEN
    begun_at: datetime
    changed_at: datetime
    expires_at: datetime
    entry: str = ""

    @property
    def key(self) -> str:
        """Where it appears in the drop-box; holds no name."""
        return f"input/{self.id}.zip"

    @property
    def marker(self) -> str:
        """What beside it says that it is complete, so that intake waits for no quiet."""
        return f"{self.key}.complete"

    @property
    def parts(self) -> int:
        """How many parts it has; an empty one would be no ZIP, so at least one."""
        return -(-self.size_bytes // self.part_bytes)

    def extent(self, number: int) -> tuple[int, int]:
        """Return where a part begins in the whole, and its length, in bytes.

        Args:
            number: From 1.

        Raises:
            UsageError: There is no such part.
        """
        if not 1 <= number <= self.parts:
            raise UsageError(f"upload {self.id}: no part {number}, there are {self.parts}")
        offset = (number - 1) * self.part_bytes
        return offset, min(self.part_bytes, self.size_bytes - offset)

    def moved(self, move: UploadMove, now: datetime, *, entry: str = "") -> "Upload":
        """Return it after a move.

        Raises:
            Overtaken: It cannot be made from where it stands: somebody else was faster.
        """
        after = TRANSITIONS.get((self.state, move))
        if after is None:
            raise Overtaken(
                f"upload {self.id}: {move.value} cannot follow, it is {self.state.value}",
                told=told(ErrorCode.UPLOAD_NOT_OPEN, upload=self.state.value),
            )
        return replace(self, state=after, changed_at=now, entry=entry or self.entry)

    def is_stale(self, now: datetime) -> bool:
        """Whether it is given up by now."""
        return self.state is UploadState.OPEN and now >= self.expires_at


def named(numbers: list[int]) -> str:
    """Return numbers of parts in words: ``3, 7-9``."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
