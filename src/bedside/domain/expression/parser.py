"""From text to `Expression`: a small Pratt parser.

Binding, loosest first: ``or``, ``and``, ``not``, comparison. Types are checked as far as the text
tells: ``<`` wants one type, ``matches`` a text, one list one type, and one attribute is not compared
with a number here and a text there. The rest needs the DICOM dictionary, which
`bedside.dicom.attributes.check_expression` has.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from bedside.domain.expression.met import Verdict
from bedside.domain.expression.nodes import (
    Clause,
    ClauseVerdict,
    Comparison,
    Constant,
    Group,
    Literal,
    Node,
    Not,
    Value,
)
from bedside.domain.expression.regex import Pattern
from bedside.domain.expression.tokens import Token, nearest, refuse, tokens
from bedside.errors import ConfigError

MAX_LENGTH = 4000
MAX_DEPTH = 32

_BINDING = {"or": 10, "and": 20}
_NOT_BINDING = 30
_SIGNS = ("==", "!=", "<", "<=", ">", ">=")
_OPERATORS = (*_SIGNS, "in", "contains", "matches")
_RESERVED = frozenset({"and", "or", "not", "in", "contains", "matches", "exists", "true", "false"})


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition over the attributes of one series.

    Attributes:
        source: As it was written. ``str()`` gives it in one way of writing, which parses to an equal
            expression.
    """

    source: str = field(compare=False)
    _root: Node = field(repr=False)

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every comparison in it, in order of writing."""
        return tuple(self._root.comparisons())

    @property
    def keywords(self) -> frozenset[str]:
        """The keywords of the attributes it reads."""
        return frozenset(comparison.keyword for comparison in self.comparisons)

    def evaluate(self, attributes: Mapping[str, Value]) -> Verdict:
        """Decide for one series, with the clauses that decided and their values.

        Values of attributes that say who a patient is are withheld from the reason.
        """
        return self._root.evaluate(attributes)

    def clauses(self, attributes: Mapping[str, Value]) -> tuple[ClauseVerdict, ...]:
        """Look at every comparison for one series, in order of writing, also those that do not decide."""
        return tuple(clause.looked_at(attributes) for clause in self._root.clauses())

    def __str__(self) -> str:
        return str(self._root)


def parse(source: str) -> Expression:
    """Read an expression, e.g. ``"Modality == 'CT' and SliceThickness <= 5"``.

    Raises:
        ConfigError: It cannot be read; the message points at the place and names what was meant.
    """
    if len(source) > MAX_LENGTH:
        raise ConfigError(f"expression: {len(source)} characters, at most {MAX_LENGTH}")
    parser = _Parser(source)
    root = parser.condition(0)
    parser.end()
    return Expression(source, root)


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = tokens(source)
        self.next = 0
        self.depth = 0
        self.types: dict[str, tuple[str, str]] = {}

    def _peek(self) -> Token:
        return self.tokens[self.next]

    def _take(self) -> Token:
        token = self.tokens[self.next]
        self.next += token.kind != "end"
        return token

    def _refuse(self, token: Token, why: str) -> None:
        refuse(self.source, token.at, why)

    def _expect(self, raw: str, what: str) -> None:
        if self._peek().raw != raw or self._peek().kind != "sign":
            self._refuse(self._peek(), f"expected {raw!r} {what}, found {_named(self._peek())}")
        self._take()

    def condition(self, binding: int) -> Node:
        """Parse a condition whose joining words bind tighter than ``binding``."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self._refuse(self._peek(), f"nested deeper than {MAX_DEPTH}")
        left = self._prefix()
        while (word := self._peek().raw) in _BINDING and _BINDING[word] > binding:
            parts = [left]
            while self._peek().raw == word:
                self._take()
                parts.append(self.condition(_BINDING[word]))
            left = Group(word, tuple(parts))
        self.depth -= 1
        return left

    def end(self) -> None:
        """Refuse anything after the condition."""
        token = self._peek()
        if token.kind != "end":
            why = f"expected 'and' or 'or', found {_named(token)}{nearest(token.raw, ('and', 'or'))}"
            self._refuse(token, "')' without '('" if token.raw == ")" else why)

    def _prefix(self) -> Node:
        token = self._take()
        if token.kind == "word":
            if token.raw == "not":
                return Not(self.condition(_NOT_BINDING))
            if token.raw in ("true", "false"):
                return Constant(token.raw == "true")
            if token.raw == "exists":
                return Clause(Comparison(self._keyword(self._take()), "exists", ()))
            return self._comparison(self._keyword(token))
        if token.raw == "(":
            inner = self.condition(0)
            if self._peek().raw != ")":
                self._refuse(self._peek(), f"expected 'and', 'or' or ')', found {_named(self._peek())}")
            self._take()
            return inner
        if token.kind in ("text", "number"):
            self._refuse(token, f"{_named(token)} stands on the right of a comparison; begin with a keyword")
        self._refuse(token, f"expected a condition, found {_named(token)}")
        raise AssertionError

    def _keyword(self, token: Token) -> str:
        if token.kind != "word" or token.raw in _RESERVED:
            self._refuse(token, f"expected an attribute's keyword, e.g. Modality, found {_named(token)}")
        return token.raw

    def _comparison(self, keyword: str) -> Node:
        token = self._take()
        operator = token.raw
        if operator not in _OPERATORS or token.kind not in ("word", "sign"):
            remark = nearest(operator, _OPERATORS)
            if operator == "not":
                remark = f'; write "not {keyword} in [...]"'
            elif operator in (*_BINDING, ")", "") and not remark:
                remark = f'; write "exists {keyword}" to ask whether it is there'
            self._refuse(token, f"expected a comparison after {keyword}, found {_named(token)}{remark}")
        if operator == "in":
            return self._member(keyword)
        at = self._peek()
        value = self._literal()
        if operator == "matches":
            return self._matches(keyword, at, value)
        if isinstance(value, bool) and operator not in ("==", "!="):
            self._refuse(at, f"{_named(at)} can be compared by == and != only")
        self._check_type(keyword, value, at)
        return Clause(Comparison(keyword, operator, (value,)))

    def _member(self, keyword: str) -> Node:
        self._expect("[", "after 'in'")
        values: list[Literal] = []
        while True:
            at = self._peek()
            values.append(self._literal())
            self._check_type(keyword, values[-1], at)
            if self._peek().raw != ",":
                break
            self._take()
        self._expect("]", "or ',' in the list")
        return Clause(Comparison(keyword, "in", tuple(values)))

    def _matches(self, keyword: str, at: Token, value: Literal) -> Node:
        if not isinstance(value, str):
            self._refuse(at, f"'matches' wants a regular expression in quotes, found {_named(at)}")
        self._check_type(keyword, value, at)
        try:
            pattern = Pattern(str(value))
        except ConfigError as exc:
            self._refuse(at, exc.message)
        return Clause(Comparison(keyword, "matches", (value,)), pattern)

    def _literal(self) -> Literal:
        token = self._take()
        if token.kind == "text":
            return token.text
        if token.kind == "number":
            return self._number(token)
        if token.kind == "word" and token.raw in ("true", "false"):
            return token.raw == "true"
        quoted = f"; text stands in quotes: '{token.raw}'" if token.kind == "word" else ""
        self._refuse(token, f"expected a text, a number, true or false, found {_named(token)}{quoted}")
        raise AssertionError

    def _number(self, token: Token) -> float | int:
        whole = token.raw.lstrip("-").isdigit()
        value = (int(token.raw) if len(token.raw) < 20 else math.inf) if whole else float(token.raw)
        if not math.isfinite(value):
            self._refuse(token, "this number is too large")
        return value

    def _check_type(self, keyword: str, value: Literal, at: Token) -> None:
        kind = "text" if isinstance(value, (str, bool)) else "a number"
        before, written = self.types.setdefault(keyword, (kind, at.raw))
        if before != kind:
            self._refuse(at, f"{keyword} is compared with {before} ({written}) and with {kind} ({at.raw})")


def _named(token: Token) -> str:
    return (
        "the end" if token.kind == "end" else repr(token.raw[:40]) if token.kind != "text" else token.raw[:40]
    )
