"""The words of an expression, each with its place, and the error that points at one."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from bedside.errors import ConfigError

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
  | (?P<number>-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>==|!=|<=|>=|[<>()\[\],])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(['\"\\])")

#: Spellings of other languages, and what is written here.
_FOREIGN = {
    "=": "==", "===": "==", "<>": "!=", "&&": "and", "&": "and", "||": "or", "|": "or", "!": "not",
    "=~": "matches", "~": "matches", "is": "==", "eq": "==", "ne": "!=", "like": "matches",
    "has": "contains", "includes": "contains", "defined": "exists", "present": "exists",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """One word: ``kind`` is text, number, word, sign or end; ``value`` what it stands for."""

    kind: str
    raw: str
    at: int

    @property
    def text(self) -> str:
        r"""The content of a quoted text: a backslash before a quote or a backslash is taken off.

        Any other backslash stays, so that ``\d`` in a regular expression is written once.
        """
        return _ESCAPED.sub(r"\1", self.raw[1:-1])


def tokens(source: str) -> list[Token]:
    """Split an expression into its words.

    Raises:
        ConfigError: A character or quote that begins nothing, with its place.
    """
    found: list[Token] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None:
            refuse(source, at, _unreadable(source, at))
        if match.lastgroup != "space":
            found.append(Token(str(match.lastgroup), match.group(), at))
        at = match.end()
    found.append(Token("end", "", len(source)))
    return found


def _unreadable(source: str, at: int) -> str:
    if source[at] in "'\"":
        return "this quote is not closed"
    symbol = re.match(r"[^\w\s'\"()\[\],]+|\S\w*", source[at:])
    word = symbol.group() if symbol else source[at]
    return f"cannot read {word[:20]!r}{nearest(word, ())}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest of ``known``, or ``""``."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6) or [
        k for k in known if k.lower() == word.lower()
    ]
    best = _FOREIGN.get(word.lower()) or (close[0] if close else "")
    return f"; did you mean {best!r}?" if best and best != word else ""


def refuse(source: str, at: int, why: str) -> NoReturn:
    """Raise `ConfigError` with the line, the column and a caret under it."""
    begin = source.rfind("\n", 0, at) + 1
    end = source.find("\n", at)
    line = source[begin : end if end >= 0 else len(source)]
    column = at - begin
    first = max(0, column - 70)  # a long line is shown around the place
    piece = line[first : first + 100].replace("\t", " ")
    number = source.count("\n", 0, at) + 1
    place = f"line {number}, column {column + 1}" if "\n" in source else f"column {column + 1}"
    raise ConfigError(
        f"expression, {place}: {why}\n  {piece}\n  {' ' * (column - first)}^",
        hint="bedside config check",
    )
