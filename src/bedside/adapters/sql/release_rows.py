"""Rows of releases, promotions and comparisons to domain values and back; as `rows` does for the rest."""

from typing import Any

from sqlalchemy import Row as Found

from bedside.adapters.sql.types import Row
from bedside.domain.pipeline import Release, ReleaseKind
from bedside.domain.release import Comparison, How, LabelComparison, Promotion, Role
from bedside.domain.serial import plain


def release_row(release: Release) -> Row:
    """Return a release's columns."""
    return {
        "digest": release.digest,
        "name": release.name,
        "version": release.version,
        "added_at": release.added_at,
        "kind": release.kind.value,
        "source": release.source,
        "size_bytes": release.size_bytes,
    }


def release(row: Found[Any]) -> Release:
    """Return the release of a row."""
    return Release(
        digest=row.digest,
        name=row.name,
        version=row.version,
        added_at=row.added_at,
        kind=ReleaseKind(row.kind),
        source=row.source,
        size_bytes=row.size_bytes,
    )


def promotion_row(promotion: Promotion) -> Row:
    """Return a promotion's columns."""
    return {
        "pipeline": promotion.pipeline,
        "stage": promotion.stage,
        "role": promotion.role.value,
        "digest": promotion.digest,
        "kind": promotion.kind.value,
        "share": promotion.share,
        "how": promotion.how.value,
        "by": promotion.by,
        "reason": promotion.reason,
        "at": promotion.at,
    }


def promotion(row: Found[Any]) -> Promotion:
    """Return the promotion of a row."""
    return Promotion(
        pipeline=row.pipeline,
        stage=row.stage,
        role=Role(row.role),
        digest=row.digest,
        kind=ReleaseKind(row.kind),
        share=row.share,
        how=How(row.how),
        by=row.by,
        reason=row.reason,
        at=row.at,
    )


def comparison_row(comparison: Comparison) -> Row:
    """Return a comparison's columns; labels and numbers as short lists."""
    values = {
        "labels": [[c.label, c.dice, c.volume_ml, c.against_volume_ml] for c in comparison.labels],
        "numbers": [[name, *pair] for name, pair in comparison.numbers.items()],
    }
    return {
        "tenant": comparison.tenant,
        "pipeline": comparison.pipeline,
        "stage": comparison.stage,
        "release": comparison.release,
        "against": comparison.against,
        "arrival_id": comparison.arrival_id,
        "shadow_job": comparison.shadow_job,
        "current_job": comparison.current_job,
        **plain(values, f"comparison of job {comparison.shadow_job}"),
        "problem": comparison.problem,
        "compared_at": comparison.compared_at,
    }


def comparison(row: Found[Any]) -> Comparison:
    """Return the comparison of a row."""
    return Comparison(
        tenant=row.tenant,
        pipeline=row.pipeline,
        stage=row.stage,
        release=row.release,
        against=row.against,
        arrival_id=row.arrival_id,
        shadow_job=row.shadow_job,
        current_job=row.current_job,
        labels=tuple(
            LabelComparison(label=label, dice=dice, volume_ml=volume, against_volume_ml=against)
            for label, dice, volume, against in row.labels
        ),
        numbers={name: (one, other) for name, one, other in row.numbers},
        problem=row.problem,
        compared_at=row.compared_at,
    )
