"""What people say of a result: accepted, rejected with a reason, remarked on, or corrected.

Judgements are added and never changed: whoever changes their mind says so in another one, and the newest
that is no remark counts. A correction is a judgement that brings a segmentation of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bedside.domain.release import LabelComparison
from bedside.errors import ErrorCode, UsageError, told

#: Characters of a comment.
LONGEST_COMMENT = 2000


class Verdict(StrEnum):
    """What a judgement says."""

    ACCEPTED = "accepted"  # usable as it is
    REJECTED = "rejected"
    CORRECTED = "corrected"  # usable as the reviewer left it
    REMARK = "remark"  # says nothing of whether it is usable


#: Verdicts that count; a remark leaves standing what was said before.
COUNTING = frozenset(Verdict) - {Verdict.REMARK}


class RejectionReason(StrEnum):
    """Why a result is not usable. Words for people are in the portal's catalogue."""

    MISSED = "missed"  # it is there, and was not found
    FALSE = "false"  # it was found, and is not there
    BORDER = "border"  # found, with a wrong border
    SIDE = "side"  # found in the wrong place or on the wrong side
    STUDY = "study"  # the study was unfit: another phase, another series, artefacts
    OTHER = "other"  # the comment says


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """The segmentation of a reviewer, beside the model's, which stays.

    Attributes:
        key: Of its file below the tenant.
        sop_instance_uid: SOP Instance UID (0008,0018).
        series_uid: Series Instance UID (0020,000E).
        predecessor_uid: SOP Instance UID of the segmentation that was corrected.
        labels: Each label as the reviewer left it (`volume_ml`) against the model's
            (`against_volume_ml`).
    """

    key: str
    sop_instance_uid: str
    series_uid: str
    predecessor_uid: str
    labels: tuple[LabelComparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one person said of one result.

    Attributes:
        tenant: Whose result.
        id: Unique in the tenant.
        job_id: The job that wrote the result.
        arrival_id: What it read.
        pipeline: Name of the pipeline.
        release: Digest of the release of its last stage.
        verdict: What was said.
        reason: Of a rejection, else None.
        comment: Free words. May hold anything, a patient's name too: only for those who may see results.
        reviewer: Subject of the person.
        judged_at: When, UTC.
        correction: With `Verdict.CORRECTED`, else None.
    """

    tenant: str
    id: str
    job_id: str
    arrival_id: str
    pipeline: str
    release: str
    verdict: Verdict
    reviewer: str
    judged_at: datetime
    reason: RejectionReason | None = None
    comment: str = field(default="", repr=False)
    correction: Correction | None = None


def checked(judgement: Judgement) -> Judgement:
    """Return a judgement that says what its verdict needs.

    Raises:
        UsageError: A rejection without a reason, a reason without a rejection, a remark without words, a
            correction without a segmentation, or too many words.
    """
    if (judgement.verdict is Verdict.REJECTED) != (judgement.reason is not None):
        raise UsageError(
            "judgement: a rejection has a reason, and nothing else has one",
            told=told(ErrorCode.REJECTION_REASON),
        )
    if (judgement.verdict is Verdict.CORRECTED) != (judgement.correction is not None):
        raise UsageError("judgement: a correction has a segmentation, and nothing else has one")
    says = judgement.comment.strip()
    if not says and (judgement.verdict is Verdict.REMARK or judgement.reason is RejectionReason.OTHER):
        raise UsageError(
            "judgement: a remark, and a rejection for another reason, need a comment",
            told=told(ErrorCode.COMMENT_MISSING),
        )
    if len(judgement.comment) > LONGEST_COMMENT:
        raise UsageError(
            f"judgement: comment of {len(judgement.comment)} characters, at most {LONGEST_COMMENT}",
            told=told(ErrorCode.COMMENT_TOO_LONG, characters=len(judgement.comment), most=LONGEST_COMMENT),
        )
    return judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelQuality:
    """How one label was corrected.

    Attributes:
        label: Its name.
        corrected: Corrections that hold it.
        dice: Mean Dice between what the model found and what the reviewer left, 0–1.
        least_dice: The worst of them.
    """

    label: str
    corrected: int
    dice: float
    least_dice: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What reviewers made of one release's results; of each result the newest verdict counts.

    Attributes:
        pipeline: Name of the pipeline.
        release: Digest of the release.
        accepted: Results that were accepted as they are.
        corrected: Results that were corrected.
        rejected: Results that were rejected.
        reasons: How many of those for which reason.
        labels: Of the corrected ones.
    """

    pipeline: str
    release: str
    accepted: int
    corrected: int
    rejected: int
    reasons: dict[RejectionReason, int]
    labels: tuple[LabelQuality, ...]

    @property
    def judged(self) -> int:
        """Results with a verdict."""
        return self.accepted + self.corrected + self.rejected

    @property
    def acceptance(self) -> float:
        """Share of the judged results that were accepted as they are, 0–1."""
        return self.accepted / self.judged


def quality(standing: Iterable[Judgement]) -> Sequence[Quality]:
    """Return the quality of each pipeline's releases, in order of name and digest.

    Args:
        standing: The verdict of each result that counts, one per result.
    """
    found: dict[tuple[str, str], list[Judgement]] = {}
    for judgement in standing:
        found.setdefault((judgement.pipeline, judgement.release), []).append(judgement)
    return [_quality(*place, judgements) for place, judgements in sorted(found.items())]


def _quality(pipeline: str, release: str, judgements: Sequence[Judgement]) -> Quality:
    counted = {verdict: sum(j.verdict is verdict for j in judgements) for verdict in COUNTING}
    reasons = [judgement.reason for judgement in judgements if judgement.reason]
    return Quality(
        pipeline=pipeline,
        release=release,
        accepted=counted[Verdict.ACCEPTED],
        corrected=counted[Verdict.CORRECTED],
        rejected=counted[Verdict.REJECTED],
        reasons={reason: reasons.count(reason) for reason in RejectionReason if reason in reasons},
        labels=_labels(judgements),
    )


def _labels(judgements: Iterable[Judgement]) -> tuple[LabelQuality, ...]:
    dice: dict[str, list[float]] = {}
    for judgement in judgements:
        for label in judgement.correction.labels if judgement.correction else ():
            dice.setdefault(label.label, []).append(label.dice)
    return tuple(
        LabelQuality(
            label=name,
            corrected=len(values),
            dice=round(sum(values) / len(values), 6),
            least_dice=min(values),
        )
        for name, values in sorted(dice.items())
    )
