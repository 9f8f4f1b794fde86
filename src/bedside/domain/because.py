"""Why a rule did or did not start a pipeline, as values: what was found, not a sentence.

Owns the grounds of a decision and how they are kept as JSON; a decision's sentence is made of them once, in
English, and the portal says them in the language of whoever asks. Decisions made before these were kept have
their sentence alone. Nothing here says who a patient is: clauses hold what the configuration says, and values
are withheld where an attribute may tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bedside.domain.expression import Met, Outcome, Remark, sentence


class Cause(StrEnum):
    """What decided."""

    ALWAYS = "always"  # the rule has no condition
    NO_SERIES = "no_series"  # no series of the study can be read
    COMPLETE = "complete"  # every file of a set is there
    HELD = "held"  # each condition held for some series
    FAILED = "failed"  # some condition held for none


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What clauses met, in one series where a condition held, or in several alike where it failed.

    Attributes:
        met: The clauses that decided.
        series: Series Instance UID of the one where it held; empty where it failed.
        count: How many series are alike.
        of: How many series there are.
    """

    met: tuple[Met, ...]
    series: str = ""
    count: int = 1
    of: int = 1

    def __str__(self) -> str:
        said = sentence(self.met)
        if self.series:
            return f"series {self.series}: {said}"
        return f"{said} ({self.count} of {self.of} series)" if self.of > 1 else said


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """Why a rule decided as it did.

    Attributes:
        cause: What decided.
        grounds: With `Cause.HELD` one per condition; with `Cause.FAILED` those of most series first.
        more: Other grounds, which are not kept.
        files: Of a file set.
    """

    cause: Cause
    grounds: tuple[Ground, ...] = ()
    more: int = 0
    files: int = 0

    def __str__(self) -> str:
        match self.cause:
            case Cause.ALWAYS:
                return "the rule has no condition"
            case Cause.NO_SERIES:
                return "no series of the study can be read"
            case Cause.COMPLETE:
                return f"the file set is complete: {self.files} files"
        said = "; ".join(map(str, self.grounds))
        return said + (f"; and {self.more} other reasons" if self.more else "")


def because_to_json(because: Because) -> dict[str, Any]:
    """Return why, as JSON values."""
    return {
        "cause": because.cause.value,
        "grounds": [
            {
                "series": ground.series,
                "count": ground.count,
                "of": ground.of,
                "met": [
                    [met.clause, met.outcome.value, met.keyword, met.found, met.remark.value]
                    for met in ground.met
                ],
            }
            for ground in because.grounds
        ],
        "more": because.more,
        "files": because.files,
    }


def because_from_json(document: Mapping[str, Any]) -> Because:
    """Return what `because_to_json` wrote."""
    return Because(
        cause=Cause(document["cause"]),
        grounds=tuple(
            Ground(
                series=ground["series"],
                count=ground["count"],
                of=ground["of"],
                met=tuple(
                    Met(
                        clause=clause,
                        outcome=Outcome(outcome),
                        keyword=keyword,
                        found=found,
                        remark=Remark(remark),
                    )
                    for clause, outcome, keyword, found, remark in ground["met"]
                ),
            )
            for ground in document["grounds"]
        ),
        more=document["more"],
        files=document["files"],
    )
