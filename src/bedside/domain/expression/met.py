"""What the clauses that decided met in a series: values, so that whoever reads may be told in any language.

Owns the English sentence over them, which the ledger, the API, the command line and the logs give. Values of
attributes that say who a patient is come here withheld already.
"""

from dataclasses import dataclass
from enum import StrEnum

_MAX_REASON = 600  # characters of a sentence
#: More clauses never show in a sentence of that length.
MOST_MET = 50


class Outcome(StrEnum):
    """What became of a clause."""

    TRUE = "true"  # the comparison holds
    FALSE = "false"  # it does not
    MISSING = "missing"  # it does not, since there is no such attribute
    THERE = "there"  # `exists`, and it does
    ABSENT = "absent"  # `exists`, and it does not
    SAYS = "says"  # no comparison: the condition itself is true or false


class Remark(StrEnum):
    """Why a comparison can never hold: the value is of another type than the literal."""

    NONE = ""
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """One clause that decided, and what it met.

    Attributes:
        clause: As it would be written.
        outcome: What became of it.
        keyword: The attribute's; empty for a constant.
        found: The value, cut and withheld; empty where there is none.
        remark: On its type.
    """

    clause: str
    outcome: Outcome
    keyword: str = ""
    found: str = ""
    remark: Remark = Remark.NONE

    def __str__(self) -> str:
        match self.outcome:
            case Outcome.SAYS:
                return f"it says {self.clause}"
            case Outcome.THERE:
                return f"{self.keyword} is there"
            case Outcome.ABSENT:
                return f"{self.keyword} is missing"
            case Outcome.MISSING:
                return f"{self.clause} is false: {self.keyword} is missing"
        remark = {Remark.NONE: "", Remark.NUMBER: ", a number", Remark.TEXT: ", text"}[self.remark]
        return f"{self.clause} is {self.outcome.value}: it is {self.found}{remark}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an expression holds for one series, and which clauses decided."""

    matched: bool
    met: tuple[Met, ...]

    @property
    def reason(self) -> str:
        """What decided, as a sentence for people."""
        return sentence(self.met)


def sentence(met: tuple[Met, ...]) -> str:
    """Return what decided as an English sentence."""
    return shortened("; ".join(map(str, met)), _MAX_REASON)


def shortened(text: str, limit: int) -> str:
    """Cut a text, and show that it was."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
