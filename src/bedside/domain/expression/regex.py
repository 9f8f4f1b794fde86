r"""Regular expressions whose time is bounded by pattern × text, whatever either holds.

Owns a subset: characters, ``.``, classes, ``\d \w \s`` and their opposites, ``^ $``, groups,
``|``, ``* + ? {m,n}``, and ``(?i)`` at the start. Back-references and look-around are refused. The
states of a non-deterministic automaton are followed all at once (Thompson), so there is nothing to
back-track over: Python's own ``re`` takes minutes for ``(a+)+b`` on thirty letters, and a header is
written by strangers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bedside.errors import ConfigError

MAX_PATTERN = 200
MAX_TEXT = 1024  # longer values are searched up to here
_MAX_REPEAT = 64
_MAX_STATES = 1000
_MAX_COPIES = 4000  # of repeated pieces, empty ones too, while compiling

_Test = Callable[[str], bool]
_DIGITS = frozenset("0123456789")
_CLASSES: dict[str, _Test] = {
    "d": lambda c: c in _DIGITS,
    "w": lambda c: c.isalnum() or c == "_",
    "s": str.isspace,
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(slots=True)
class _State:
    """One state: a test that consumes a character, an anchor, or just ways on."""

    test: _Test | None = None
    anchor: str = ""
    ways: list[int] = field(default_factory=list)


class Pattern:
    """A compiled pattern; equal patterns are equal."""

    __slots__ = ("_fold", "_start", "_states", "source")

    def __init__(self, source: str) -> None:
        if len(source) > MAX_PATTERN:
            raise ConfigError(f"regular expression: {len(source)} characters, at most {MAX_PATTERN}")
        self.source = source
        self._fold = source.startswith("(?i)")
        compiler = _Compiler(source, 4 if self._fold else 0, fold=self._fold)
        self._start = compiler.compile()
        self._states = compiler.states

    def search(self, text: str) -> bool:
        """Return whether the pattern matches anywhere in the first `MAX_TEXT` characters."""
        text = text[:MAX_TEXT]
        if self._fold:
            text = text.casefold()
        current: set[int] = set()
        for position in range(len(text) + 1):
            # A match may begin at every position.
            current = self._closure(current | {self._start}, position, len(text))
            if _ACCEPT in current:
                return True
            if position < len(text):
                current = self._step(current, text[position])
        return False

    def _step(self, current: set[int], character: str) -> set[int]:
        states = self._states
        return {
            states[s].ways[0] for s in current if (test := states[s].test) is not None and test(character)
        }

    def _closure(self, begin: set[int], position: int, end: int) -> set[int]:
        seen: set[int] = set()
        waiting = list(begin)
        while waiting:
            index = waiting.pop()
            if index in seen:
                continue
            seen.add(index)
            state = self._states[index]
            if (
                state.test is not None
                or (state.anchor == "^" and position)
                or (state.anchor == "$" and position != end)
            ):
                continue
            waiting.extend(state.ways)
        return seen

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"Pattern({self.source!r})"


_ACCEPT = 0


class _Compiler:
    """Recursive descent over the pattern, building states back to front.

    A piece is kept as a function from "where to go on" to "where to begin", so that a repeat can
    build its inside several times.
    """

    def __init__(self, source: str, position: int, *, fold: bool) -> None:
        self.source = source
        self.at = position
        self.fold = fold
        self.depth = 0
        self.copies = 0
        self.states = [_State()]

    def compile(self) -> int:
        build = self._alternatives()
        if self.at < len(self.source):
            self._refuse("')' without '('")
        return build(_ACCEPT)

    def _refuse(self, why: str) -> None:
        raise ConfigError(f"regular expression: {why}, at character {self.at + 1} of {self.source!r}")

    def _new(self, state: _State) -> int:
        if len(self.states) >= _MAX_STATES:
            self._refuse(f"repeats more than {_MAX_STATES} states")
        self.states.append(state)
        return len(self.states) - 1

    def _peek(self) -> str:
        return self.source[self.at] if self.at < len(self.source) else ""

    def _take(self) -> str:
        character = self._peek()
        if not character:
            self._refuse("ends too early")
        self.at += 1
        return character

    def _alternatives(self) -> Callable[[int], int]:
        branches = [self._sequence()]
        while self._peek() == "|":
            self.at += 1
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        return lambda on: self._new(_State(ways=[branch(on) for branch in branches]))

    def _sequence(self) -> Callable[[int], int]:
        pieces: list[Callable[[int], int]] = []
        while self._peek() not in ("", "|", ")"):
            pieces.append(self._repeated(self._atom()))

        def build(on: int) -> int:
            for piece in reversed(pieces):
                on = piece(on)
            return on

        return build

    def _atom(self) -> Callable[[int], int]:
        character = self._take()
        if character == "(":
            return self._group()
        if character in "^$":
            return lambda on: self._new(_State(anchor=character, ways=[on]))
        if character in "*+?{":
            self.at -= 1
            self._refuse(f"nothing before {character!r} to repeat")
        test = self._class() if character == "[" else self._single(character)
        return lambda on: self._new(_State(test=test, ways=[on]))

    def _group(self) -> Callable[[int], int]:
        self.depth += 1
        if self.depth > 16:
            self._refuse("more than 16 groups in one another")
        if self._peek() == "?":
            if self.source[self.at : self.at + 2] != "?:":
                self._refuse("look-around, named groups and flags are not supported, only (?:…)")
            self.at += 2
        inner = self._alternatives()
        if self._peek() != ")":
            self._refuse("'(' without ')'")
        self.at += 1
        self.depth -= 1
        return inner

    def _repeated(self, piece: Callable[[int], int]) -> Callable[[int], int]:
        mark = self._peek()
        if mark not in ("*", "+", "?", "{") or not mark:
            return piece
        self.at += 1
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(mark) or self._bounds()
        if self._peek() == "?":  # lazy: the same answer to "does it match?"
            self.at += 1
        if self._peek() in ("*", "+", "{", "?") and self._peek():
            self._refuse("a repeat of a repeat; put the inner one into a group")

        def copy(on: int) -> int:
            self.copies += 1
            if self.copies > _MAX_COPIES:
                self._refuse(f"repeats more than {_MAX_COPIES} pieces")
            return piece(on)

        def build(on: int) -> int:
            if most is None:
                loop = self._new(_State(ways=[on]))
                self.states[loop].ways.insert(0, copy(loop))
                on = loop
            else:
                for _ in range(most - least):
                    on = self._new(_State(ways=[copy(on), on]))
            for _ in range(least):
                on = copy(on)
            return on

        return build

    def _bounds(self) -> tuple[int, int | None]:
        end = self.source.find("}", self.at)
        least, comma, most = self.source[self.at : max(end, self.at)].partition(",")
        numbers = [n for n in (least, most) if n]
        if end < 0 or not least or not all(n.isascii() and n.isdigit() and len(n) < 4 for n in numbers):
            self._refuse("a repeat is {m}, {m,} or {m,n}; write \\{ for the character")
        self.at = end + 1
        low = int(least)
        high = (int(most) if most else None) if comma else low
        if low > _MAX_REPEAT or (high is not None and not low <= high <= _MAX_REPEAT):
            self._refuse(f"a repeat from {low} to {high}; at most {_MAX_REPEAT}, least first")
        return low, high

    def _single(self, character: str) -> _Test:
        if character == ".":
            return lambda c: c != "\n"
        if character == "\\":
            return self._escape()
        wanted = character.casefold() if self.fold else character
        return lambda c: c == wanted

    def _escape(self) -> _Test:
        character = self._take()
        if character.lower() in _CLASSES:
            inside = _CLASSES[character.lower()]
            return inside if character.islower() else lambda c: not inside(c)
        if character.isalnum() and character not in _ESCAPES:
            self._refuse(f"\\{character} is not supported (no back-references)")
        wanted = _ESCAPES.get(character, character)
        return lambda c: c == wanted

    def _class(self) -> _Test:
        opposite = self._peek() == "^"
        self.at += opposite
        tests: list[_Test] = []
        first = True
        while first or self._peek() != "]":
            first = False
            low = self._take()
            if low == "\\":
                tests.append(self._escape())
                continue
            if self._peek() == "-" and self.source[self.at + 1 : self.at + 2] not in ("]", ""):
                self.at += 1
                tests.append(self._span(low, self._take()))
            else:
                tests.append(self._span(low, low))
        self.at += 1
        return lambda c: any(test(c) for test in tests) is not opposite

    def _span(self, low: str, high: str) -> _Test:
        if high == "\\" or low > high:
            self._refuse(f"the span {low}-{high} is empty or unclear")
        if not self.fold:
            return lambda c: low <= c <= high
        return lambda c: low <= c <= high or low <= c.upper() <= high
