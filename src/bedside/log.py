"""Structured log lines: ``action=job.succeeded tenant=default job=3f… attempt=1``.

Owns the form of a line. What is logged is chosen by the caller: identifiers and numbers, never a
file name from the drop-box or a value of a DICOM header. Plain text, since a person reads it in a
terminal and a machine splits it at spaces and the first ``=``.
"""

import json
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TextIO


class Log(Protocol):
    """Takes note of an action and the identifiers that belong to it."""

    def __call__(self, action: str, /, **fields: object) -> None:
        """Note one action. Fields that are empty or None are left out."""
        ...


def line(action: str, /, **fields: object) -> str:
    """Return one log line without a time."""
    given = {name: value for name, value in fields.items() if value is not None and value != ""}
    return " ".join([f"action={action}", *(f"{name}={_word(value)}" for name, value in given.items())])


class Lines:
    """Writes log lines to a stream, each with its time, UTC, and the writer's own fields.

    Args:
        now: The clock.
        stream: Where lines go; the standard error stream by default.
        own: Fields of every line, e.g. ``worker="w1"``.
    """

    def __init__(self, now: Callable[[], datetime], *, stream: TextIO | None = None, **own: object) -> None:
        self._now = now
        self._stream = stream
        self._own = own

    def __call__(self, action: str, /, **fields: object) -> None:
        """Write one line."""
        at = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        stream = self._stream or sys.stderr
        stream.write(f"{at} {line(action, **self._own, **fields)}\n")
        stream.flush()


def silent(action: str, /, **fields: object) -> None:
    """Note nothing."""


def _word(value: object) -> str:
    """Return a value as one word: quoted where it has spaces, quotes or line ends."""
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    return text if text and text.isprintable() and not set(text) & set(' "=') else json.dumps(text)
