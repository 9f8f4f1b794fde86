"""The one error tree: what went wrong, its exit code, and whether a retry can help.

Every error that a person may meet is a `BedsideError`. Adapters turn a vendor's errors into these,
so nothing above them catches anything else. Messages never hold patient data: identifiers and
numbers only. The classes know their exit code and retry rule because three readers need the same
answer (the command line, the worker's retry policy and the child's protocol), and one table kept
beside the classes cannot drift.
"""

from typing import ClassVar


class BedsideError(Exception):
    """Base of all errors bedside raises on purpose.

    Args:
        message: What happened and why, with the numbers, e.g. ``"series 1.2.3: gap of 10.0 mm
            between slices 41 and 42, median 5.0 mm"``.
        hint: What to do next, best a command to run.
    """

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


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
        super().__init__(message, hint=hint or f"wait {retry_after_s} seconds")
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
