"""What the API says of judgements, as JSON."""

from datetime import datetime

from pydantic import BaseModel, Field

from bedside.domain.judgement import LONGEST_COMMENT, Correction, Judgement, Quality, RejectionReason, Verdict
from bedside.judging.judge import Said


class JudgementWish(BaseModel):
    """What somebody says of a result."""

    verdict: Verdict = Field(
        description="accepted (the model's masks), rejected, remark, or corrected (with `correction`)."
    )
    reason: RejectionReason | None = Field(None, description="Of a rejection.")
    comment: str = Field("", max_length=LONGEST_COMMENT)
    correction: str = Field(
        "",
        max_length=64,
        description="Of verdict corrected: one that is there. A new one comes with its file.",
    )

    def said(self) -> Said:
        """Return it for the judge."""
        return Said(
            verdict=self.verdict, reason=self.reason, comment=self.comment, correction=self.correction
        )


class CorrectedLabel(BaseModel):
    """One label of a correction."""

    label: str
    dice: float = Field(description="Between what the model found and what the reviewer left, 0 to 1.")
    reviewer_ml: float
    model_ml: float


class CorrectionItem(BaseModel):
    """The segmentation of a reviewer."""

    sop_instance_uid: str
    series_uid: str
    predecessor_uid: str = Field(description="SOP Instance UID of what was corrected.")
    labels: list[CorrectedLabel]


class JudgementItem(BaseModel):
    """What one person said of one result."""

    id: str
    job_id: str
    arrival_id: str
    pipeline: str
    release: str
    verdict: Verdict
    reason: RejectionReason | None
    comment: str
    reviewer: str = Field(description="Number of an account.")
    judged_at: datetime
    correction: CorrectionItem | None


class JudgementList(BaseModel):
    """Judgements, newest first."""

    judgements: list[JudgementItem]
    more: bool = Field(description="Whether there are more after these.")


class LabelFigure(BaseModel):
    """How one label was corrected."""

    label: str
    corrected: int
    dice: float = Field(description="Mean of all corrections.")
    least_dice: float


class ReleaseFigure(BaseModel):
    """What reviewers made of one release's results; of each result the newest verdict counts."""

    pipeline: str
    release: str
    judged: int
    accepted: int
    corrected: int
    rejected: int
    acceptance: float = Field(description="Share of the judged results accepted as they are, 0 to 1.")
    reasons: dict[str, int]
    labels: list[LabelFigure]


class QualityFigures(BaseModel):
    """Figures by pipeline and release."""

    releases: list[ReleaseFigure]


def item_of(judgement: Judgement) -> JudgementItem:
    """Return a judgement as the API says it."""
    correction = judgement.correction
    return JudgementItem(
        id=judgement.id,
        job_id=judgement.job_id,
        arrival_id=judgement.arrival_id,
        pipeline=judgement.pipeline,
        release=judgement.release,
        verdict=judgement.verdict,
        reason=judgement.reason,
        comment=judgement.comment,
        reviewer=judgement.reviewer,
        judged_at=judgement.judged_at,
        correction=CorrectionItem(
            sop_instance_uid=correction.sop_instance_uid,
            series_uid=correction.series_uid,
            predecessor_uid=correction.predecessor_uid,
            labels=corrected_labels(correction),
        )
        if correction
        else None,
    )


def corrected_labels(correction: Correction) -> list[CorrectedLabel]:
    """Return the labels of a correction as the API says them."""
    return [
        CorrectedLabel(
            label=label.label,
            dice=label.dice,
            reviewer_ml=label.volume_ml,
            model_ml=label.against_volume_ml,
        )
        for label in correction.labels
    ]


def figure_of(one: Quality) -> ReleaseFigure:
    """Return a release's quality as the API says it."""
    return ReleaseFigure(
        pipeline=one.pipeline,
        release=one.release,
        judged=one.judged,
        accepted=one.accepted,
        corrected=one.corrected,
        rejected=one.rejected,
        acceptance=round(one.acceptance, 6),
        reasons={reason.value: count for reason, count in one.reasons.items()},
        labels=[
            LabelFigure(
                label=label.label, corrected=label.corrected, dice=label.dice, least_dice=label.least_dice
            )
            for label in one.labels
        ],
    )
