"""Which version of a result's masks counts, by what reviewers said in which order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bedside.domain.judgement import Correction, Judgement, RejectionReason, Verdict
from bedside.judging.versions import MODEL, mask_versions

WRITTEN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def said(number: int, verdict: Verdict) -> Judgement:
    """Return the number-th thing that somebody said, hours after the result."""
    correction = Correction(
        key=f"results/j/corrections/{number}/seg.dcm",
        sop_instance_uid=f"2.25.{number}",
        series_uid="2.25.100",
        predecessor_uid="2.25.200",
        labels=(),
    )
    return Judgement(
        tenant="default",
        id=f"{number:020x}",
        job_id="j",
        arrival_id="a",
        pipeline="spleen",
        release="sha256:00",
        verdict=verdict,
        reason=RejectionReason.BORDER if verdict is Verdict.REJECTED else None,
        reviewer=f"p-{number}",
        judged_at=WRITTEN + timedelta(hours=number),
        correction=correction if verdict is Verdict.CORRECTED else None,
    )


A, R, C, W = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.CORRECTED, Verdict.REMARK


@pytest.mark.parametrize(
    ("verdicts", "counts"),
    [
        ((), 0),
        ((A,), 0),
        ((R, W), 0),
        ((C,), 1),
        ((C, C), 2),
        ((C, W), 1),
        ((C, R), 1),  # nobody named another
        ((C, A), 0),  # back to what the model found
        ((A, C), 2),
        ((C, A, C, R), 3),
    ],
)
def test_the_newest_verdict_that_names_masks_says_which_count(
    verdicts: tuple[Verdict, ...], counts: int
) -> None:
    oldest_first = [said(number, verdict) for number, verdict in enumerate(verdicts, start=1)]
    found = mask_versions(oldest_first[::-1], WRITTEN)
    assert found.standing.id == (f"{counts:020x}" if counts else MODEL)
    assert found.standing in found.all


def test_whoever_stands_by_a_correction_makes_it_count_and_no_new_one() -> None:
    first, second, back = said(1, C), said(2, C), said(3, A)
    again = replace(said(4, C), correction=first.correction)
    found = mask_versions([again, back, second, first], WRITTEN)
    assert [one.reviewer for one in found.all] == ["p-2", "p-1", ""]
    assert found.standing is found.all[1] and found.standing.id == first.id
    assert found.find(again.id) is found.find(first.id) is found.all[1]


def test_newest_first_and_the_models_own_last() -> None:
    found = mask_versions([said(3, C), said(2, A), said(1, C)], WRITTEN)
    assert [one.reviewer for one in found.all] == ["p-3", "p-1", ""]
    assert [one.is_model for one in found.all] == [False, False, True]
    assert found.corrections == found.all[:2] and found.model is found.all[2]
    assert (found.model.at, found.model.correction) == (WRITTEN, None)
    assert found.find(f"{1:020x}") is found.all[1]
    assert found.find(MODEL) is found.model
    assert found.find("nothing") is None
