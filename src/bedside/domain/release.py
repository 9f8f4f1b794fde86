"""Which release of a model works for whom: promotions, trials beside them, and how they compare.

Owns the roles that a release can have in a stage and what follows for one study: pure functions over
an append-only list. A promotion is never changed or removed; the newest one of its pipeline, stage
and role is in force, so that "what ran on Tuesday?" is answered by the same list as "what runs now?".
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from bedside.domain.identity import canonical_json
from bedside.domain.phantom import is_phantom
from bedside.domain.pipeline import Pipeline, ReleaseKind, Stage, StageKind
from bedside.errors import UsageError


class Role(StrEnum):
    """For whom a release, or a job, works."""

    CURRENT = "current"  # what every study gets
    CANARY = "canary"  # a share of the studies gets it instead of the current one
    SHADOW = "shadow"  # runs beside; its results are compared, never delivered
    RERUN = "rerun"  # of jobs only: a person ran a past study under a release


class How(StrEnum):
    """What made a promotion."""

    FILE = "file"  # bedside.toml names another bundle or MAP than before
    PERSON = "person"  # somebody said so
    ROLLBACK = "rollback"  # somebody took the newest one back


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One line of the list: from now on this release has this role in a stage.

    Attributes:
        pipeline: Name of the pipeline.
        stage: Name of its stage.
        role: `Role.CURRENT`, `Role.CANARY` or `Role.SHADOW`.
        digest: The release, or ``""`` where a trial (canary, shadow) ends.
        kind: Of the release.
        share: Of the studies, 0–1, that a trial gets.
        how: What made it.
        by: Who.
        reason: Why, in their words.
        at: When.
    """

    pipeline: str
    stage: str
    role: Role = Role.CURRENT
    digest: str
    kind: ReleaseKind = ReleaseKind.BUNDLE
    share: float = 1.0
    how: How = How.PERSON
    by: str = ""
    reason: str = ""
    at: datetime

    @property
    def place(self) -> tuple[str, str]:
        """The pipeline and stage it is about."""
        return self.pipeline, self.stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A job to be made of an arrival: a pipeline with its releases filled in, and its role."""

    pipeline: Pipeline
    role: Role


def plans(
    pipeline: Pipeline, standing: Sequence[Promotion], *, tenant: str, subject: str
) -> tuple[Plan, ...]:
    """Return what runs on one study: the delivered job, and a shadow where a trial asks for it.

    Args:
        pipeline: As configured; a stage without a promotion keeps its release.
        standing: The newest promotion of each pipeline, stage and role.
        tenant: Whose study.
        subject: The study. All versions of a study draw the same lot, so that a late slice meets
            the release that read the slices before it.
    """
    mine = [p for p in standing if p.pipeline == pipeline.name and p.digest]
    drawn = [p for p in mine if p.role is Role.CURRENT or _drawn(p, tenant, subject)]
    by_role = {role: {p.stage: p for p in drawn if p.role is role} for role in Role}
    current = with_releases(pipeline, by_role[Role.CURRENT])
    delivered = with_releases(current, by_role[Role.CANARY])
    role = Role.CURRENT if delivered.version == current.version else Role.CANARY
    shadow = with_releases(delivered, by_role[Role.SHADOW])
    if is_phantom(subject):  # proves what is in force, and is no case to compare releases by
        return (Plan(pipeline=current, role=Role.CURRENT),)
    found = (Plan(pipeline=delivered, role=role),)
    if shadow.version == delivered.version:
        return found
    return (*found, Plan(pipeline=shadow, role=Role.SHADOW))


def with_releases(pipeline: Pipeline, chosen: Mapping[str, Promotion]) -> Pipeline:
    """Return a pipeline whose stages run the chosen releases; command stages run none."""
    return replace(
        pipeline,
        stages=tuple(
            with_release(stage, chosen[stage.name].digest, chosen[stage.name].kind)
            if stage.name in chosen
            else stage
            for stage in pipeline.stages
        ),
    )


def with_release(stage: Stage, digest: str, kind: ReleaseKind) -> Stage:
    """Return a stage that runs another release; a command stage is returned as it is."""
    if stage.kind is StageKind.COMMAND:
        return stage
    return replace(stage, release=digest, kind=StageKind(kind.value))


def in_force(history: Iterable[Promotion]) -> list[Promotion]:
    """Return the current releases of one stage as a stack, the one in force last.

    Args:
        history: Promotions of one pipeline and stage as `Role.CURRENT`, oldest first. A rollback
            takes away what came after the release it names; promoting what is in force adds nothing.
    """
    stack: list[Promotion] = []
    for promotion in history:
        if promotion.how is How.ROLLBACK:
            while len(stack) > 1 and stack[-1].digest != promotion.digest:
                stack.pop()
        elif not stack or stack[-1].digest != promotion.digest:
            stack.append(promotion)
    return stack


def one_before(history: Iterable[Promotion]) -> Promotion:
    """Return the promotion that a rollback brings back.

    Raises:
        UsageError: There is none before.
    """
    stack = in_force(history)
    if len(stack) < 2:
        raise UsageError("nothing to go back to: there was no other release", hint="bedside release history")
    return stack[-2]


def checked_share(share: float) -> float:
    """Return a share of studies.

    Raises:
        UsageError: It is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise UsageError(f"share {share:g}: it must be above 0 and at most 1, e.g. 0.1 for a tenth")
    return share


def _drawn(trial: Promotion, tenant: str, subject: str) -> bool:
    """Draw a study's lot, which depends on study and release only: a greater share keeps its studies."""
    seed = canonical_json([trial.pipeline, trial.stage, trial.digest, tenant, subject])
    lot = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big") / 2**64
    return lot < trial.share


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelComparison:
    """One label of two results of the same study.

    Attributes:
        label: Its name.
        dice: 2·|A∩B| / (|A|+|B|), 1 where both are empty.
        volume_ml: In the shadow's result.
        against_volume_ml: In the delivered one.
    """

    label: str
    dice: float
    volume_ml: float
    against_volume_ml: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a shadow's result is beside the delivered one of the same study.

    Attributes:
        tenant: Whose study.
        pipeline: Name of the pipeline.
        stage: The first stage in which the two differ.
        release: The shadow's release in that stage.
        against: The delivered one's.
        arrival_id: The study's version.
        shadow_job: The job that ran beside.
        current_job: The job whose result was delivered.
        labels: Masks, label by label; empty for a model that gives numbers only.
        numbers: Outputs by name: the shadow's, the delivered one's.
        problem: Why there is nothing to compare, or ``""``.
        compared_at: When.
    """

    tenant: str
    pipeline: str
    stage: str
    release: str
    against: str
    arrival_id: str
    shadow_job: str
    current_job: str
    labels: tuple[LabelComparison, ...] = ()
    numbers: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    problem: str = ""
    compared_at: datetime

    @property
    def least_dice(self) -> float | None:
        """The Dice of the label that agrees least, or None without masks."""
        return min((label.dice for label in self.labels), default=None)
