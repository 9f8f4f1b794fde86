"""Releases for scripts: what there is, where it works, how it compares; promote, take back, try."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from bedside.domain.pipeline import ReleaseKind
from bedside.domain.release import How, Promotion, Role
from bedside.operate.trials import Row
from bedside.portal.here import InHere
from bedside.portal.operate.changing import MAX_REASON, Act, Wish, change, check
from bedside.portal.operate.parts import Engineer
from bedside.portal.operate.releases import comparisons_of, names_of, used_by

router = APIRouter(prefix="/api/v1/operate/releases", tags=["operate"])

Name = Annotated[str, Field(max_length=300)]


class UseShown(BaseModel):
    """Where a release works."""

    pipeline: str
    stage: str
    role: Role
    share: float


class ReleaseShown(BaseModel):
    """A release."""

    digest: str
    name: str
    version: str
    kind: ReleaseKind
    source: str
    size_bytes: int
    added_at: datetime
    names: list[str]
    used: list[UseShown]


class PromotionShown(BaseModel):
    """A line of the list of promotions."""

    pipeline: str
    stage: str
    role: Role
    release: str = Field(description="Digest; empty ends a trial.")
    share: float
    how: How
    by: str
    reason: str
    at: datetime


class RowShown(BaseModel):
    """One label, or one number, over all studies."""

    name: str
    studies: int
    mean: float
    worst: float
    median_volume_change_ml: float | None
    worst_job: str


class ComparedShown(BaseModel):
    """How a shadow compares with what was delivered."""

    release: str
    against: list[str]
    compared: int
    labels: list[RowShown]
    numbers: list[RowShown]
    not_compared: int


class ReleasesShown(BaseModel):
    """All of it."""

    releases: list[ReleaseShown]
    promotions: list[PromotionShown]
    comparisons: list[ComparedShown]


class NewPromotion(BaseModel):
    """What to do to a stage."""

    act: Act
    pipeline: Name = Field("", description="Needed where several stages run a release.")
    stage: Name = ""
    release: Name = Field("", description="Digest, its beginning, or a name.")
    share: float = Field(1.0, gt=0, le=1, description="Of the studies, for a canary or a shadow.")
    reason: Annotated[str, Field(max_length=MAX_REASON)] = ""


class Changed(BaseModel):
    """What came of it."""

    promotion: PromotionShown | None = Field(description="Null where it was so already.")


@router.get("")
def releases(here: InHere, _caller: Engineer) -> ReleasesShown:
    """Return releases, promotions newest first, and comparisons."""
    ledger = here.deployment.ledger
    used, names = used_by(here), names_of(ledger.release_names())
    return ReleasesShown(
        releases=[
            ReleaseShown(
                digest=r.digest,
                name=r.name,
                version=r.version,
                kind=r.kind,
                source=r.source,
                size_bytes=r.size_bytes,
                added_at=r.added_at,
                names=names.get(r.digest, []),
                used=[
                    UseShown(pipeline=p.pipeline, stage=p.stage, role=p.role, share=p.share)
                    for p in used.get(r.digest, [])
                ],
            )
            for r in ledger.releases()
        ],
        promotions=[_promotion(promotion) for promotion in ledger.promotions()],
        comparisons=[
            ComparedShown(
                release=c.release,
                against=list(c.against),
                compared=c.compared,
                labels=[_row(row) for row in c.labels],
                numbers=[_row(row) for row in c.numbers],
                not_compared=c.problems,
            )
            for c in comparisons_of(here)
        ],
    )


@router.post("")
def promote(here: InHere, caller: Engineer, new: NewPromotion) -> Changed:
    """Promote, roll back, begin or end a canary or a shadow; it counts from the next study on."""
    wish = Wish(
        act=new.act,
        pipeline=new.pipeline,
        stage=new.stage,
        release=new.release,
        share=new.share,
        reason=new.reason,
    )
    made = change(here, caller, check(here, wish))
    return Changed(promotion=_promotion(made) if made else None)


def _promotion(promotion: Promotion) -> PromotionShown:
    return PromotionShown(
        pipeline=promotion.pipeline,
        stage=promotion.stage,
        role=promotion.role,
        release=promotion.digest,
        share=promotion.share,
        how=promotion.how,
        by=promotion.by,
        reason=promotion.reason,
        at=promotion.at,
    )


def _row(row: Row) -> RowShown:
    return RowShown(
        name=row.name,
        studies=row.count,
        mean=row.mean,
        worst=row.worst,
        median_volume_change_ml=row.median_ml,
        worst_job=row.worst_job,
    )
