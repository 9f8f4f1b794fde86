"""Promotions as pure functions: what is in force, what a rollback brings back, who draws which lot."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bedside.domain.phantom import phantom_study_uid
from bedside.domain.pipeline import Pipeline, ReleaseKind, Stage, StageKind
from bedside.domain.release import How, Promotion, Role, checked_share, in_force, one_before, plans
from bedside.errors import UsageError
from ledger_samples import make_pipeline, make_promotion

OLD = "sha256:aa"


def history(*steps: str) -> list[Promotion]:
    """Return promotions oldest first; ``<a`` is a rollback to release a, ``=a`` one by the file."""
    how = {"<": How.ROLLBACK, "=": How.FILE}
    return [make_promotion(step[-1], how=how.get(step[0], How.PERSON)) for step in steps]


def letters(promotions: Sequence[Promotion]) -> str:
    return "".join(promotion.digest[-1] for promotion in promotions)


@pytest.mark.parametrize(
    ("steps", "stack"),
    [
        (["=a"], "a"),
        (["=a", "b", "b", "c"], "abc"),
        (["=a", "b", "c", "<b"], "ab"),
        (["=a", "b", "c", "<b", "<a"], "a"),
        (["=a", "b", "c", "<b", "<b"], "ab"),  # two people rolled back at once
        (["=a", "b", "<a", "c"], "ac"),
        (["=a", "b", "=a"], "aba"),
    ],
)
def test_what_is_in_force_is_a_stack(steps: list[str], stack: str) -> None:
    assert letters(in_force(history(*steps))) == stack
    if len(stack) > 1:
        assert letters([one_before(history(*steps))]) == stack[-2]
    else:
        with pytest.raises(UsageError, match="nothing to go back to"):
            one_before(history(*steps))


def pipeline() -> Pipeline:
    prepare = Stage(name="prepare", kind=StageKind.COMMAND, command=("prepare",))
    infer = Stage(name="infer", kind=StageKind.BUNDLE, release=OLD, settings={"outputs": ["seg"]})
    return Pipeline(name="spleen", stages=(prepare, infer))


def planned(*standing: Promotion, subject: str = "1.2.3") -> list[tuple[Role, str, StageKind]]:
    found = plans(pipeline(), standing, tenant="ward", subject=subject)
    return [(plan.role, plan.pipeline.stages[1].release, plan.pipeline.stages[1].kind) for plan in found]


def test_promotions_fill_in_releases_and_leave_commands_alone() -> None:
    assert planned() == [(Role.CURRENT, OLD, StageKind.BUNDLE)]
    new = make_promotion("b")
    elsewhere = [replace(new, pipeline="liver"), replace(new, stage="other"), replace(new, stage="prepare")]
    assert planned(*elsewhere) == [(Role.CURRENT, OLD, StageKind.BUNDLE)]
    assert planned(new) == [(Role.CURRENT, new.digest, StageKind.MAP)]
    bundle = replace(new, kind=ReleaseKind.BUNDLE)
    assert planned(bundle) == [(Role.CURRENT, new.digest, StageKind.BUNDLE)]


def test_a_shadow_runs_beside_what_is_delivered() -> None:
    current, canary, shadow = (
        make_promotion(digit, role=role)
        for digit, role in (("b", Role.CURRENT), ("c", Role.CANARY), ("d", Role.SHADOW))
    )
    assert [(role, digest[-1]) for role, digest, _ in planned(current, canary, shadow)] == [
        (Role.CANARY, "c"),
        (Role.SHADOW, "d"),
    ]
    phantom = planned(current, canary, shadow, subject=phantom_study_uid("1"))
    assert [(role, digest) for role, digest, _ in phantom] == [(Role.CURRENT, current.digest)]
    ended = [replace(canary, digest=""), replace(shadow, digest="")]
    assert [role for role, _, _ in planned(current, *ended)] == [Role.CURRENT]
    same = [replace(promotion, digest=current.digest) for promotion in (canary, shadow)]
    assert [role for role, _, _ in planned(current, *same)] == [Role.CURRENT], "nothing to try"


def test_a_share_is_stable_and_a_greater_one_keeps_its_studies() -> None:
    subjects = [f"1.2.{n}" for n in range(1000)]

    def drawn(share: float) -> set[str]:
        trial = make_promotion("c", role=Role.CANARY, share=share)
        return {s for s in subjects if planned(trial, subject=s)[0][0] is Role.CANARY}

    tenth, half = drawn(0.1), drawn(0.5)
    assert tenth == drawn(0.1)
    assert 60 < len(tenth) < 150 and 430 < len(half) < 570
    assert tenth < half < drawn(1.0) == set(subjects)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_is_above_nothing_and_at_most_all(share: float) -> None:
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        checked_share(share)


def test_a_track_is_what_stays_when_the_release_changes() -> None:
    one, other = make_pipeline(release=OLD), make_pipeline(release="sha256:bb")
    assert one.version != other.version and one.track == other.track
    as_map = replace(one.stages[0], kind=StageKind.MAP, release="sha256:bb", pool="gpu", timeout_s=1)
    assert replace(one, stages=(as_map,)).track == one.track
    settings = replace(one.stages[0], settings={"outputs": ["sr"]})
    assert replace(one, stages=(settings,)).track != one.track
    assert make_pipeline("liver").track != one.track
