"""Releases as operators see them: where each works, and how shadows compare over all studies."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bedside.config import Settings
from bedside.domain.release import Comparison, Promotion
from bedside.errors import UsageError
from bedside.worker.promote import Place

#: The default name of the only stage of a pipeline, as `bedside.worker.plans` gives it.
ONLY_STAGE = "infer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One label, or one number, over all studies.

    Attributes:
        name: Of the label or output.
        count: Studies.
        mean: Mean Dice; for a number, the mean of the shadow's minus the delivered one's.
        worst: Least Dice; for a number, the greatest difference, without its sign.
        median_ml: Median of the shadow's volume minus the delivered one's; None for a number.
        worst_job: The shadow job where it is worst.
    """

    name: str
    count: int
    mean: float
    worst: float
    median_ml: float | None
    worst_job: str


def places(settings: Settings) -> list[Place]:
    """Return the configured stages that run a release, in order."""
    found = []
    for pipeline in settings.pipeline:
        stages = [(stage, stage.name or f"stage{n}") for n, stage in enumerate(pipeline.stage, start=1)]
        found += [
            Place(pipeline=pipeline.name, stage=name)
            for stage, name in stages or [(pipeline, ONLY_STAGE)]
            if stage.bundle or stage.map
        ]
    return found


def chosen_place(settings: Settings, pipeline: str, stage: str) -> Place:
    """Return the stage that a person means.

    Raises:
        UsageError: There is none so named, or several.
    """
    every = places(settings)
    fitting = [
        place
        for place in every
        if (not pipeline or place.pipeline == pipeline) and (not stage or place.stage == stage)
    ]
    if len(fitting) == 1:
        return fitting[0]
    there = ", ".join(map(str, fitting or every)) or "none"
    if fitting:
        raise UsageError(f"{len(fitting)} stages run a release: {there}", hint="add --pipeline and --stage")
    raise UsageError(f"no such stage runs a release; configured: {there}", hint="bedside config show")


def uses(standing: Sequence[Promotion]) -> Mapping[str, list[str]]:
    """Return what each release is used for now, by digest: ``current in spleen/infer``."""
    found: dict[str, list[str]] = {}
    for promotion in standing:
        if promotion.digest:
            share = f" ({promotion.share:.0%})" if promotion.share < 1 else ""
            text = f"{promotion.role.value}{share} in {promotion.pipeline}/{promotion.stage}"
            found.setdefault(promotion.digest, []).append(text)
    return found


def label_rows(comparisons: Sequence[Comparison]) -> list[Row]:
    """Return what each label's masks agree to, the worst label first."""
    found: dict[str, list[tuple[float, float, str]]] = {}
    for comparison in comparisons:
        for label in comparison.labels:
            change = label.volume_ml - label.against_volume_ml
            found.setdefault(label.label, []).append((label.dice, change, comparison.shadow_job))
    rows = [
        Row(
            name=name,
            count=len(values),
            mean=statistics.fmean(dice for dice, _, _ in values),
            worst=min(values)[0],
            median_ml=statistics.median(change for _, change, _ in values),
            worst_job=min(values)[2],
        )
        for name, values in found.items()
    ]
    return sorted(rows, key=lambda row: row.worst)


def number_rows(comparisons: Sequence[Comparison]) -> list[Row]:
    """Return what each output's numbers differ by, the worst output first."""
    found: dict[str, list[tuple[float, str]]] = {}
    for comparison in comparisons:
        for name, (shadow, delivered) in comparison.numbers.items():
            found.setdefault(name, []).append((shadow - delivered, comparison.shadow_job))
    rows = []
    for name, values in found.items():
        furthest = max(values, key=lambda value: abs(value[0]))
        rows.append(
            Row(
                name=name,
                count=len(values),
                mean=statistics.fmean(difference for difference, _ in values),
                worst=abs(furthest[0]),
                median_ml=None,
                worst_job=furthest[1],
            )
        )
    return sorted(rows, key=lambda row: -row.worst)
