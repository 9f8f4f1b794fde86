"""Rules tried on one study: which start what, which do not, and every clause with the value it met.

The verdict is `bedside.worker.rules`' own, asked as intake asks it; what is added is each clause. A file
that somebody hands over stays in memory: it is read like any file, from a place that has no name on a
disk and is gone with the answer.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bedside.dicom.attributes import series_attributes, typed_attributes
from bedside.domain.arrival import Arrival, ArrivalKind
from bedside.domain.because import Because
from bedside.domain.expression import ClauseVerdict, parse
from bedside.domain.pipeline import Rule
from bedside.errors import InputRejected, UsageError
from bedside.worker.rules import Attributes, RuleBook

#: Series shown clause by clause; the verdict is over all of them.
SERIES_SHOWN = 20
#: Attributes that somebody may write down.
MAX_WRITTEN = 500

_LINE = re.compile(r"\s*(?P<keyword>[A-Za-z][A-Za-z0-9]*)\s*(?:[=:]\s*)(?P<value>.*?)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesVerdict:
    """One condition on one series."""

    series_uid: str
    matched: bool
    clauses: tuple[ClauseVerdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionVerdict:
    """One condition of a rule: its ``when``, or one of its ``requires``.

    Attributes:
        key: Which of the two it is.
        text: As it was written.
        matched: Whether it holds for some series.
        series: The first `SERIES_SHOWN` series.
    """

    key: str
    text: str
    matched: bool
    series: tuple[SeriesVerdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleVerdict:
    """What one rule says of a study.

    Attributes:
        rule: The rule.
        matched: Whether it would start its pipeline.
        reason: Why or why not, as `job why` says it.
        overruled_by: The rule of a higher priority that starts the same pipeline, or empty.
        conditions: One by one; none for a rule that always matches.
        because: What the reason says, as values.
    """

    rule: Rule
    matched: bool
    reason: str
    overruled_by: str
    conditions: tuple[ConditionVerdict, ...]
    because: Because | None


def try_rules(book: RuleBook, attributes: Attributes, now: datetime) -> list[RuleVerdict]:
    """Return what every rule says of some series, in their order."""
    verdicts = book.judge(_nothing(now), attributes, now)
    return [
        RuleVerdict(
            rule=rule,
            matched=decision.matched,
            reason=decision.reason,
            overruled_by=_winner(rule, verdicts.starts) if decision.matched else "",
            conditions=_conditions(rule, attributes),
            because=decision.because,
        )
        for rule, decision in zip(book.rules, verdicts.decisions, strict=True)
    ]


def file_attributes(content: bytes) -> Attributes:
    """Return the attributes of one DICOM file that is in memory.

    Raises:
        InputRejected: It is no instance of a series.
    """
    descriptor = os.memfd_create("dicom", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as stream:
            stream.write(content)
        found = series_attributes([Path(f"/proc/self/fd/{descriptor}")])
    finally:
        os.close(descriptor)
    if not found:
        raise InputRejected(
            f"file of {len(content)} bytes: no DICOM instance of a series can be read in it",
            hint="choose one .dcm file of a study, not a ZIP or a DICOMDIR",
        )
    return found


def written_attributes(text: str) -> Attributes:
    """Return attributes that somebody wrote down, ``Keyword = value`` line by line, as one series.

    Raises:
        UsageError: A line is none.
        ConfigError: A keyword is no attribute, or a value not of its type.
    """
    given: dict[str, object] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:  # not repeated: it may be a name
            raise UsageError(f"line {number}: expected KEYWORD = VALUE, e.g. Modality = CT")
        given[found["keyword"]] = found["value"].strip("\"'")
    return given_attributes(given)


def given_attributes(given: Mapping[str, object]) -> Attributes:
    """Return attributes given by keyword as one series.

    Raises:
        UsageError: There are none, or too many.
        ConfigError: A keyword is no attribute, or a value not of its type.
    """
    if not given or len(given) > MAX_WRITTEN:
        raise UsageError(f"{len(given)} attributes: give between 1 and {MAX_WRITTEN}, e.g. Modality = CT")
    return {str(given.get("SeriesInstanceUID", "-")): typed_attributes(given)}


def _conditions(rule: Rule, attributes: Attributes) -> tuple[ConditionVerdict, ...]:
    found = []
    for key, text in (("when", rule.when), *(("requires", text) for text in rule.requires)):
        if not text.strip():
            continue
        condition = parse(text)
        verdicts = {uid: condition.evaluate(values).matched for uid, values in attributes.items()}
        series = tuple(
            SeriesVerdict(series_uid=uid, matched=verdicts[uid], clauses=condition.clauses(values))
            for uid, values in list(attributes.items())[:SERIES_SHOWN]
        )
        found.append(ConditionVerdict(key=key, text=text, matched=any(verdicts.values()), series=series))
    return tuple(found)


def _winner(rule: Rule, starts: Mapping[str, Rule]) -> str:
    winner = starts[rule.pipeline]
    return "" if winner.name == rule.name else winner.name


def _nothing(now: datetime) -> Arrival:
    """Return an arrival that is none: what is tried out has not arrived."""
    return Arrival(tenant="", id="", kind=ArrivalKind.DICOM, subject="", version=0, files=(), received_at=now)


def started(book: RuleBook, attributes: Attributes, now: datetime) -> Sequence[str]:
    """Return the pipelines that rules would start, in order of name."""
    return sorted(book.judge(_nothing(now), attributes, now).starts)
