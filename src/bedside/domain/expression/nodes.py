"""The tree of an expression, and what it means for the attributes of one series.

A missing attribute makes its comparison false (and the reason says so), and so does a value of
another type than the literal. A multi-valued attribute satisfies a comparison when one of its values
does; ``!=`` when none is equal. Reasons name the clauses that decided, with the values, because "why
did my model not run?" is asked by people who cannot see the header.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from bedside.domain.expression.met import MOST_MET, Met, Outcome, Remark, Verdict, shortened
from bedside.domain.expression.privacy import WITHHELD, identifies_a_patient
from bedside.domain.expression.regex import Pattern

#: What an attribute can hold; multi-valued ones are tuples.
Value: TypeAlias = "str | float | int | tuple[str | float | int, ...]"
#: What can stand on the right of a comparison; ``true`` and ``false`` are DICOM's YES and NO.
Literal: TypeAlias = "str | float | int | bool"

_MAX_SHOWN = 64  # characters of a value in a reason; longer ones are cut


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseVerdict:
    """One comparison of an expression beside what it met in one series.

    Attributes:
        clause: The comparison, as it would be written.
        matched: Whether it holds.
        found: The value, cut and withheld as in reasons; empty where the attribute is missing.
    """

    clause: str
    matched: bool
    found: str


class Comparison(NamedTuple):
    """One comparison of an expression, for checks against the DICOM dictionary.

    Attributes:
        keyword: The attribute's keyword, e.g. ``"Modality"``.
        operator: ``== != < <= > >= in contains matches exists``.
        literals: The values on the right; several for ``in``, none for ``exists``.
    """

    keyword: str
    operator: str
    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Constant:
    """``true`` or ``false`` as a whole condition."""

    value: bool

    def evaluate(self, attributes: Mapping[str, Value]) -> Verdict:  # noqa: ARG002 - as its siblings
        """Return itself."""
        return Verdict(matched=self.value, met=(Met(clause=str(self), outcome=Outcome.SAYS),))

    def comparisons(self) -> Iterator[Comparison]:
        """Yield nothing."""
        yield from ()

    def clauses(self) -> "Iterator[Clause]":
        """Yield nothing."""
        yield from ()

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(frozen=True, slots=True)
class Clause:
    """One comparison. ``pattern`` is compiled from the literal of ``matches``."""

    comparison: Comparison
    pattern: Pattern | None = None

    def evaluate(self, attributes: Mapping[str, Value]) -> Verdict:
        """Compare the attribute, if it is there."""
        keyword, operator, _ = self.comparison
        value = attributes.get(keyword)
        missing = value is None or value in ("", ())
        if operator == "exists":
            return self._verdict(Outcome.ABSENT if missing else Outcome.THERE)
        if missing or value is None:
            return self._verdict(Outcome.MISSING)
        matched, remark = self._compare(value)
        found = WITHHELD if identifies_a_patient(keyword) else shown(value)
        return self._verdict(Outcome.TRUE if matched else Outcome.FALSE, found, remark)

    def _verdict(self, outcome: Outcome, found: str = "", remark: Remark = Remark.NONE) -> Verdict:
        met = Met(
            clause=str(self), outcome=outcome, keyword=self.comparison.keyword, found=found, remark=remark
        )
        return Verdict(matched=outcome in (Outcome.TRUE, Outcome.THERE), met=(met,))

    def _compare(self, value: Value) -> tuple[bool, Remark]:
        """Return whether it holds, and a remark where the types say that it never can."""
        _, operator, literals = self.comparison
        values = value if isinstance(value, tuple) else (value,)
        if operator == "matches":
            assert self.pattern is not None
            texts = [v for v in values if isinstance(v, str)]
            holds = any(self.pattern.search(v) for v in texts)
            return holds, Remark.NONE if texts else Remark.NUMBER
        alike = [(v, wanted) for v in values for wanted in literals if _comparable(v, wanted)]
        if not alike:
            return False, Remark.NUMBER if isinstance(values[0], (int, float)) else Remark.TEXT
        if operator == "!=":
            return all(_relation("!=", v, wanted) for v, wanted in alike), Remark.NONE
        if operator == "contains" and not isinstance(value, tuple) and isinstance(value, str):
            return any(str(wanted) in value for wanted in literals), Remark.NONE
        relation = "==" if operator in ("in", "contains") else operator
        return any(_relation(relation, v, wanted) for v, wanted in alike), Remark.NONE

    def looked_at(self, attributes: Mapping[str, Value]) -> ClauseVerdict:
        """Compare the attribute, and say what it is; also where another clause has decided already."""
        keyword = self.comparison.keyword
        value = attributes.get(keyword)
        found = "" if value is None or value in ("", ()) else shown(value)
        return ClauseVerdict(
            clause=str(self),
            matched=self.evaluate(attributes).matched,
            found=WITHHELD if found and identifies_a_patient(keyword) else found,
        )

    def comparisons(self) -> Iterator[Comparison]:
        """Yield itself."""
        yield self.comparison

    def clauses(self) -> "Iterator[Clause]":
        """Yield itself."""
        yield self

    def __str__(self) -> str:
        keyword, operator, literals = self.comparison
        if operator == "exists":
            return f"exists {keyword}"
        right = ", ".join(_written(value) for value in literals)
        return f"{keyword} {operator} " + (f"[{right}]" if operator == "in" else right)


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    inner: "Node"

    def evaluate(self, attributes: Mapping[str, Value]) -> Verdict:
        """Turn the inner verdict around; its reason stays true as it is."""
        verdict = self.inner.evaluate(attributes)
        return Verdict(matched=not verdict.matched, met=verdict.met)

    def comparisons(self) -> Iterator[Comparison]:
        """Yield those of the inner condition."""
        yield from self.inner.comparisons()

    def clauses(self) -> Iterator[Clause]:
        """Yield those of the inner condition."""
        yield from self.inner.clauses()

    def __str__(self) -> str:
        return f"not {self.inner}" if not isinstance(self.inner, Group) else f"not ({self.inner})"


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions joined by one word, ``and`` or ``or``."""

    word: str
    parts: tuple["Node", ...]

    def evaluate(self, attributes: Mapping[str, Value]) -> Verdict:
        """Stop at the part that decides: the first false of ``and``, the first true of ``or``."""
        deciding = self.word == "or"
        met: list[Met] = []
        for part in self.parts:
            verdict = part.evaluate(attributes)
            if verdict.matched is deciding:
                return verdict
            met += verdict.met
        return Verdict(matched=not deciding, met=tuple(met[:MOST_MET]))

    def comparisons(self) -> Iterator[Comparison]:
        """Yield those of all parts."""
        for part in self.parts:
            yield from part.comparisons()

    def clauses(self) -> Iterator[Clause]:
        """Yield those of all parts."""
        for part in self.parts:
            yield from part.clauses()

    def __str__(self) -> str:
        return f" {self.word} ".join(
            f"({part})" if isinstance(part, Group) else str(part) for part in self.parts
        )


Node: TypeAlias = Constant | Clause | Not | Group


def shown(value: Value) -> str:
    """Write a value for a reason: text quoted and cut, several values in brackets."""
    if isinstance(value, tuple):
        return shortened("[" + ", ".join(shown(v) for v in value[:16]) + "]", 2 * _MAX_SHOWN)
    return repr(shortened(value, _MAX_SHOWN)) if isinstance(value, str) else f"{value:g}"


def _written(value: Literal) -> str:
    """Write a literal so that it parses to itself."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return repr(value)


def _comparable(value: str | float, wanted: Literal) -> bool:
    if isinstance(wanted, (bool, str)):
        return isinstance(value, str)
    return not isinstance(value, str)


def _relation(operator: str, value: str | float, wanted: Literal) -> bool:
    left, right = (value, ("NO", "YES")[wanted]) if isinstance(wanted, bool) else (value, wanted)
    if operator == "==":
        return left == right
    if operator == "!=":
        return left != right
    # Both are text or both are numbers here (`_comparable`), which the checker cannot see.
    if operator == "<":
        return left < right  # type: ignore[operator]
    if operator == "<=":
        return left <= right  # type: ignore[operator]
    if operator == ">":
        return left > right  # type: ignore[operator]
    return left >= right  # type: ignore[operator]
