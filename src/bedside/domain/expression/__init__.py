"""Expressions over DICOM attributes: what rules and series selection are written in.

Owns the language: its text, its meaning and the sentence that says which clause decided. It refuses
to be a programming language: no calls, no arithmetic, no names but attribute keywords, bounded in
length and nesting, and time to evaluate grows with the text alone, because the text comes from a
configuration file and the values come from whoever sends studies. `bedside.dicom.attributes` checks
keywords and types against the DICOM dictionary, which this package does not know.
"""

from bedside.domain.expression.met import Met, Outcome, Remark, Verdict, sentence
from bedside.domain.expression.nodes import ClauseVerdict, Comparison, Literal, Value
from bedside.domain.expression.parser import MAX_DEPTH, MAX_LENGTH, Expression, parse
from bedside.domain.expression.privacy import WITHHELD, identifies_a_patient

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "WITHHELD",
    "ClauseVerdict",
    "Comparison",
    "Expression",
    "Literal",
    "Met",
    "Outcome",
    "Remark",
    "Value",
    "Verdict",
    "identifies_a_patient",
    "parse",
    "sentence",
]
