"""Why a rule decided as it did: values, of which the sentence is made, and which are kept as JSON."""

import json
from datetime import UTC, datetime

import pytest

from bedside.domain.arrival import Arrival, ArrivalKind
from bedside.domain.because import Because, Cause, because_from_json, because_to_json
from bedside.domain.expression import WITHHELD, Outcome, Remark, Value
from bedside.domain.pipeline import Decision, Pipeline, Rule, Stage, StageKind
from bedside.worker.rules import RuleBook
from ledger_samples import MET

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PIPELINE = Pipeline(name="spleen", stages=(Stage(name="infer", kind=StageKind.COMMAND, command=("true",)),))
CT: dict[str, Value] = {"Modality": "CT", "SliceThickness": 2.5, "Rows": 512, "PatientID": "4711"}
MR: dict[str, Value] = {"Modality": "MR", "Rows": 256}


def decided(series: list[dict[str, Value]], *conditions: str) -> Decision:
    arrival = Arrival(
        tenant="ward", id="a", kind=ArrivalKind.DICOM, subject="1", version=1, files=(), received_at=NOW
    )
    when, *requires = conditions or ("",)
    rule = Rule(name="r", pipeline="spleen", when=when, requires=tuple(requires))
    book = RuleBook([rule], {"spleen": PIPELINE})
    attributes = {f"1.{number}": values for number, values in enumerate(series, start=1)}
    (decision,) = book.judge(arrival, attributes, NOW).decisions
    return decision


@pytest.mark.parametrize(
    ("series", "conditions", "cause", "sentence"),
    [
        ([CT], [], Cause.ALWAYS, "the rule has no condition"),
        ([], ["Modality == 'CT'"], Cause.NO_SERIES, "no series of the study can be read"),
        (
            [MR, CT],
            ["Modality == 'CT'", "exists Rows"],
            Cause.HELD,
            "series 1.2: Modality == 'CT' is true: it is 'CT'; series 1.1: Rows is there",
        ),
        (
            [MR, MR, CT],
            ["Modality == 'CT' and SliceThickness < 1"],
            Cause.FAILED,
            "Modality == 'CT' is false: it is 'MR' (2 of 3 series); "
            "SliceThickness < 1 is false: it is 2.5 (1 of 3 series)",
        ),
        ([CT], ["not true"], Cause.FAILED, "it says true"),
    ],
)
def test_the_sentence_is_made_of_the_grounds(
    series: list[dict[str, Value]], conditions: list[str], cause: Cause, sentence: str
) -> None:
    decision = decided(series, *conditions)
    assert decision.because is not None and decision.because.cause is cause
    assert decision.reason == sentence == str(decision.because)


def test_each_clause_says_what_it_met_and_never_who_somebody_is() -> None:
    because = decided([CT], "Rows == 'x' or exists Columns or Columns > 1 or PatientID == 'y'").because
    assert because is not None
    met = because.grounds[0].met
    assert [(one.outcome, one.found, one.remark) for one in met] == [
        (Outcome.FALSE, "512", Remark.NUMBER),
        (Outcome.ABSENT, "", Remark.NONE),
        (Outcome.MISSING, "", Remark.NONE),
        (Outcome.FALSE, WITHHELD, Remark.NONE),
    ]
    assert "4711" not in json.dumps(because_to_json(because))


def test_more_grounds_than_are_told_are_counted() -> None:
    decision = decided([{"Rows": number} for number in range(5)], "Rows > 9")
    assert decision.because is not None and decision.because.more == 2
    assert len(decision.because.grounds) == 3
    assert decision.reason.endswith("; and 2 other reasons")


def test_a_long_condition_keeps_a_bounded_number_of_clauses_and_its_sentence() -> None:
    because = decided([{"Rows": 1}], " or ".join(["Rows > 9"] * 300)).because
    assert because is not None
    assert len(because.grounds[0].met) == 50 and len(str(because)) == 600


@pytest.mark.parametrize(
    "because", [MET, Because(cause=Cause.COMPLETE, files=2), Because(cause=Cause.ALWAYS)]
)
def test_grounds_are_read_as_they_were_written(because: Because) -> None:
    assert because_from_json(json.loads(json.dumps(because_to_json(because)))) == because
