"""The one error tree: what went wrong, its exit code, and whether a retry can help.

Every error that a person may meet is a `BedsideError`. Adapters turn a vendor's errors into these,
so nothing above them catches anything else. Messages never hold patient data: identifiers and
numbers only. The classes know their exit code and retry rule because three readers need the same
answer (the command line, the worker's retry policy and the child's protocol), and one table kept
beside the classes cannot drift.

A message is English: for the API, the command line and the logs. What somebody meets who only uses the
portal carries an `ErrorCode` and its values beside it, so that the portal can say it in their language.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar


class ErrorCode(StrEnum):
    """What happened, for whoever says it in another language: each has a text in the portal's catalogue."""

    NOT_SIGNED_IN = "not_signed_in"
    NO_RIGHT = "no_right"
    FORM_STALE = "form_stale"
    FORM_FOREIGN = "form_foreign"
    LINK_DEAD = "link_dead"
    TOO_MANY = "too_many"
    REQUEST_TOO_LARGE = "request_too_large"
    PAGE_MISSING = "page_missing"
    FIELDS_WRONG = "fields_wrong"
    FILTER_UNKNOWN = "filter_unknown"
    DAY_WRONG = "day_wrong"
    TENANT_MISSING = "tenant_missing"
    TENANT_CLOSED = "tenant_closed"
    TENANT_BUSY = "tenant_busy"
    NAME_EMPTY = "name_empty"
    NAME_REFUSED = "name_refused"
    NAME_TAKEN = "name_taken"
    NAME_NOT_TYPED = "name_not_typed"
    UPLOAD_TOO_SHORT = "upload_too_short"
    UPLOAD_TOO_LARGE = "upload_too_large"
    UPLOAD_MISSING = "upload_missing"
    UPLOAD_NOT_OPEN = "upload_not_open"
    UPLOAD_RACED = "upload_raced"
    UPLOAD_OTHER_SIZE = "upload_other_size"
    UPLOADS_FULL = "uploads_full"
    DISK_FULL = "disk_full"
    PARTS_LOST = "parts_lost"
    PART_DAMAGED = "part_damaged"
    PART_SILENT = "part_silent"
    STUDY_MISSING = "study_missing"
    STUDY_GONE = "study_gone"
    STUDY_NO_IMAGES = "study_no_images"
    STUDY_TOO_LARGE = "study_too_large"
    JOB_MISSING = "job_missing"
    JOB_NO_MOVE = "job_no_move"
    JOB_NOT_ENDED = "job_not_ended"
    JOB_NOT_QUEUED = "job_not_queued"
    RESULT_MISSING = "result_missing"
    RESULT_GONE = "result_gone"
    FILE_MISSING = "file_missing"
    PREVIEW_MISSING = "preview_missing"
    REJECTION_REASON = "rejection_reason"
    COMMENT_MISSING = "comment_missing"
    COMMENT_TOO_LONG = "comment_too_long"
    CORRECTION_MISSING = "correction_missing"
    CORRECTION_EMPTY = "correction_empty"
    CORRECTION_TOO_LARGE = "correction_too_large"
    CORRECTION_KIND = "correction_kind"
    CORRECTION_OTHER = "correction_other"
    CORRECTION_NO_MASK = "correction_no_mask"


@dataclass(frozen=True, slots=True)
class Told:
    """What people are told of an error, in their language.

    Attributes:
        code: What happened.
        values: Numbers and words of ours that the text names; lengths and times end in their unit.
    """

    code: ErrorCode
    values: Mapping[str, str | int] = field(default_factory=dict)


def told(code: ErrorCode, **values: str | int) -> Told:
    """Return what people are told, e.g. ``told(ErrorCode.UPLOAD_TOO_LARGE, most_bytes=10)``."""
    return Told(code, values)


class BedsideError(Exception):
    """Base of all errors bedside raises on purpose.

    Args:
        message: What happened and why, with the numbers, e.g. ``"series 1.2.3: gap of 10.0 mm
            between slices 41 and 42, median 5.0 mm"``.
        hint: What to do next, best a command to run.
        told: The same for people of any language, where those meet it who only use the portal.
    """

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "", told: Told | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.told = told


class UsageError(BedsideError):
    """The command was called wrongly: an argument or a combination that cannot be meant."""

    exit_code = 2


class ConfigError(BedsideError):
    """`bedside.toml`, an environment variable or a bundle's configuration is wrong."""

    exit_code = 3


class InputRejected(BedsideError):
    """The study cannot be read correctly; a retry would find the same bytes.

    The input goes to ``rejected/`` with this reason.
    """

    exit_code = 4


class Unavailable(BedsideError):
    """Something outside (disk, database, network, GPU) is not there now; retried with back-off."""

    exit_code = 5
    retryable = True


class Overtaken(Unavailable):
    """What a write was based on is no longer the newest: another process wrote first; look again."""


class Full(Unavailable):
    """There is no room for it now: a disk, or a share of one, is used up."""


class TooLarge(UsageError):
    """It is more than is taken at once, whatever room there is."""


class Incomplete(BedsideError):
    """Parts of an upload are missing or damaged: send them, and complete it again.

    Args:
        message: What happened.
        missing: Their numbers.
        hint: What to do next.
    """

    def __init__(self, message: str, *, missing: tuple[int, ...], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.missing = missing


class TooMany(Unavailable):
    """Somebody tries too often; it helps to wait.

    Args:
        message: What, without who.
        retry_after_s: How long.
        hint: What else helps.
    """

    def __init__(self, message: str, *, retry_after_s: int, hint: str = "") -> None:
        super().__init__(
            message,
            hint=hint or f"wait {retry_after_s} seconds",
            told=told(ErrorCode.TOO_MANY, retry_after_s=retry_after_s),
        )
        self.retry_after_s = retry_after_s


class ModelFailed(BedsideError):
    """The model or its transforms failed on a readable study; dead letter after N attempts."""

    exit_code = 6
    retryable = True


class OutOfMemory(ModelFailed):
    """Memory of the device or the machine ran out after every smaller setting was tried."""


class StaleLease(BedsideError):
    """The lease was lost (expired, cancelled or taken over); the work must not be written.

    Raised by the ledger against a fencing token that is no longer the job's newest.
    """


class Cancelled(BedsideError):
    """The job was cancelled while it ran."""


class NotFound(BedsideError):
    """No such object in this tenant. Another tenant's objects are not found either."""

    exit_code = 2


class NotSignedIn(BedsideError):
    """Nobody knows who asks: there is no token, or it is expired, altered, or for others."""

    exit_code = 7


class NotPermitted(BedsideError):
    """Whoever asks is known, and may not do this in this tenant."""

    exit_code = 7


def known_name(error: BedsideError) -> str:
    """Return the nearest name of an error's class that is in `BY_NAME`."""
    return next(base.__name__ for base in type(error).__mro__ if base.__name__ in BY_NAME)


#: Names that travel in the child's protocol and the ledger, to classes and back.
BY_NAME: dict[str, type[BedsideError]] = {
    cls.__name__: cls
    for cls in (
        BedsideError,
        UsageError,
        ConfigError,
        InputRejected,
        Unavailable,
        ModelFailed,
        OutOfMemory,
        StaleLease,
        Cancelled,
        NotFound,
        NotSignedIn,
        NotPermitted,
    )
}
