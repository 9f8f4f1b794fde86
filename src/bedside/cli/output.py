"""What commands write: tables and JSON on standard output, progress and notes on standard error.

Owns the rule that output for a machine is never mixed with words for a person. Colours appear only
on a terminal and without NO_COLOR (https://no-color.org).
"""

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TextIO

import click

#: Progress that is not on a terminal is written when something new begins, and at least this often.
PLAIN_EVERY_S = 10.0


def write_json(value: object) -> None:
    """Print one JSON value on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_as_json))


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value)


def note(text: str) -> None:
    """Say something to a person, on standard error."""
    click.echo(text, err=True)


def coloured(text: str, colour: str, stream: TextIO | None = None) -> str:
    """Return ``text`` in a colour where ``stream`` (standard output) is a terminal that wants one."""
    stream = stream or sys.stdout
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return click.style(text, fg=colour)


def write_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their headings, each column as wide as its widest cell; numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [
        bool(cells) and all(_is_number(row[index]) for row in cells if row[index])
        for index in range(len(columns))
    ]
    widths = [max(_width(line[index]) for line in [list(columns), *cells]) for index in range(len(columns))]
    for number, line in enumerate([list(columns), *cells]):
        text = "  ".join(
            _padded(cell, width, right=right)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        click.echo(coloured(text, "cyan") if number == 0 else text)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1 else f"{value:.1f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).replace("%", "", 1).isdigit()


def _width(text: str) -> int:
    return len(click.unstyle(text))


def _padded(text: str, width: int, *, right: bool) -> str:
    gap = " " * (width - _width(text))
    return gap + text if right else text + gap


class ProgressLine:
    """One line about what is done now: rewritten in place on a terminal, plain lines elsewhere.

    Used as a context manager, so that the line never hangs before an error message.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._doing = ""
        self._written_at = 0.0
        self._open = False

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def update(self, doing: str, fraction: float | None = None) -> None:
        """Say what is done now, and how much of it (0–1) where that is known."""
        share = f" {fraction:4.0%}" if fraction is not None else ""
        if self._live:
            bar = _bar(fraction) if fraction is not None else ""
            self._stream.write(f"\r\x1b[2K{bar}{share} {doing}".replace("\x1b[2K ", "\x1b[2K"))
            self._open = True
        else:
            now = time.monotonic()
            if doing == self._doing and now - self._written_at < PLAIN_EVERY_S:
                return
            self._stream.write(f"{doing}{share if doing == self._doing else ''}\n")
            self._written_at = now
        self._doing = doing
        self._stream.flush()

    def finish(self) -> None:
        """Leave the line; what follows starts on a new one."""
        if self._open:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
            self._open = False


def _bar(fraction: float, width: int = 24) -> str:
    full = round(max(0.0, min(1.0, fraction)) * width)
    return "█" * full + "░" * (width - full)
