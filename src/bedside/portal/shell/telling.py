"""What people are told of an error: what happened and what to do, in their language.

An error with a code has a text of its own in the catalogue; any other is told by its kind, that is by the
status of the answer that it becomes. Its English message is never taken apart: pages show it under the rest,
marked as English.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from bedside.errors import (
    BedsideError,
    ConfigError,
    Full,
    Incomplete,
    InputRejected,
    NotFound,
    NotPermitted,
    NotSignedIn,
    Overtaken,
    StaleLease,
    Told,
    TooLarge,
    TooMany,
    Unavailable,
    UsageError,
)
from bedside.portal.shell.words import Words, catalogue

#: The most special first.
STATUS: tuple[tuple[type[BedsideError], HTTPStatus], ...] = (
    (NotSignedIn, HTTPStatus.UNAUTHORIZED),
    (NotPermitted, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (InputRejected, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (UsageError, HTTPStatus.BAD_REQUEST),
    (Overtaken, HTTPStatus.CONFLICT),
    (StaleLease, HTTPStatus.CONFLICT),
    (Incomplete, HTTPStatus.CONFLICT),
    (Full, HTTPStatus.INSUFFICIENT_STORAGE),
    (TooMany, HTTPStatus.TOO_MANY_REQUESTS),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (ConfigError, HTTPStatus.INTERNAL_SERVER_ERROR),
)
_KNOWN: Final = frozenset({400, 401, 403, 404, 405, 409, 413, 422, 429, 503, 507})
_UNITS: Final = ("byte", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An error in somebody's language.

    Attributes:
        title: What kind of thing it is.
        what: What happened.
        todo: What to do.
        is_exact: Whether that is all there is to say: it is about this very error, and not about its kind.
    """

    title: str
    what: str
    todo: str
    is_exact: bool


def status_of(error: BedsideError) -> HTTPStatus:
    """Return the status of the answer that an error becomes."""
    return next((s for kind, s in STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def said_of(words: Words, error: BedsideError) -> Said:
    """Return an error in a language."""
    return said(words, status_of(error), error.told)


def said(words: Words, status: int, told: Told | None) -> Said:
    """Return what became an answer of some status in a language."""
    kind = f"shell.error_{_kind_of(status)}"
    title = words(kind)
    if told is None:
        return Said(title=title, what=title, todo=words(f"{kind}_todo"), is_exact=False)
    values = shown(words, told.values)
    key = f"errors.{told.code}"
    # A text without holes may be longer than its values ask for, and a hole is never without a value.
    return Said(title=title, what=words(key, **values), todo=words(f"{key}_todo", **values), is_exact=True)


def _kind_of(status: int) -> str:
    if int(status) in _KNOWN:
        return str(int(status))
    return "400" if 400 <= status < 500 else "other"  # a script's 406 or 415: try no more


def shown(words: Words, values: Mapping[str, str | int]) -> dict[str, str]:
    """Return values as people read them: lengths and times with their unit, words of ours translated."""
    return dict(_shown(words, name, value) for name, value in values.items())


def _shown(words: Words, name: str, value: str | int) -> tuple[str, str]:
    if isinstance(value, int) and name.endswith("_bytes"):
        return name.removesuffix("_bytes"), length(value)
    if isinstance(value, int) and name.endswith("_s"):
        minutes = round(value / 60)
        kind = "seconds" if value < 90 else "minutes"
        return name.removesuffix("_s"), words(f"errors.{kind}", n=value if value < 90 else minutes)
    key = f"errors.{name}_{value}"
    return name, words(key) if key in catalogue() else str(value)


def length(size_bytes: int) -> str:
    """Return a length for people, in powers of ten as browsers' file dialogs have it."""
    amount, unit = float(size_bytes), _UNITS[0]
    for unit in _UNITS:
        if amount < 1000 or unit == _UNITS[-1]:
            break
        amount /= 1000
    return f"{amount:.1f} {unit}" if unit not in _UNITS[:2] else f"{amount:.0f} {unit}"
