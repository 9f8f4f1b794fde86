"""What every ledger keeps of releases: names, promotions, shadows and how they compare."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bedside.domain.job import Job, JobState
from bedside.domain.pipeline import Release, ReleaseKind
from bedside.domain.release import How, Role
from bedside.ports import JobFilter, Ledger
from contracts.test_ledger import finish, ledger, must_take, on_postgresql  # noqa: F401 - fixtures
from ledger_samples import (
    FAILURE,
    T0,
    at,
    make_arrival,
    make_comparison,
    make_job,
    make_pipeline,
    make_promotion,
    make_release,
)


def test_a_map_keeps_its_kind_source_and_size(ledger: Ledger) -> None:  # noqa: F811
    release = Release(
        digest="sha256:" + "d" * 64,
        name="liver",
        version="2.0",
        added_at=T0,
        kind=ReleaseKind.MAP,
        source="localhost:5000/liver:prod",
        size_bytes=9 * 2**32,
    )
    ledger.add_release(release)
    ledger.add_release(replace(release, source="elsewhere/liver:1"))
    assert list(ledger.releases()) == [release]


def test_a_name_means_the_release_it_was_given_last(ledger: Ledger) -> None:  # noqa: F811
    assert dict(ledger.release_names()) == {}
    for digit, name in (("a", "spleen:1.0"), ("b", "registry/spleen:prod"), ("c", "spleen:1.0")):
        ledger.name_release(name, make_release(digit).digest, T0)
    assert dict(ledger.release_names()) == {
        "spleen:1.0": make_release("c").digest,
        "registry/spleen:prod": make_release("b").digest,
    }


def test_promotions_are_kept_and_the_newest_of_each_place_and_role_stands(
    ledger: Ledger,  # noqa: F811
) -> None:
    given = [
        make_promotion("a", how=How.FILE),
        make_promotion("b", promoted_at=at(5)),
        make_promotion("c", role=Role.SHADOW, share=0.25),
        make_promotion("d", stage="second"),
        make_promotion("e", pipeline="liver"),
        # a clock that runs behind decides nothing
        make_promotion("a", how=How.ROLLBACK, promoted_at=at(-60)),
        make_promotion("", role=Role.SHADOW),
    ]
    for promotion in given:
        ledger.add_promotion(promotion)
    assert list(ledger.promotions()) == given[::-1]
    assert list(ledger.promotions(pipeline="spleen", stage="infer")) == [given[n] for n in (6, 5, 2, 1, 0)]
    assert list(ledger.promotions(pipeline="liver")) == [given[4]]
    assert list(ledger.standing()) == [given[n] for n in (3, 4, 5, 6)]


def test_jobs_keep_their_role_and_are_found_by_it(ledger: Ledger) -> None:  # noqa: F811
    arrival = ledger.add_arrival(make_arrival(1))
    jobs = [
        make_job(arrival, make_pipeline(release=f"sha256:{n}"), role=role)
        for n, role in enumerate((Role.CURRENT, Role.SHADOW, Role.CANARY, Role.RERUN))
    ]
    for job in jobs:
        assert ledger.enqueue(job) == (job, True)
        assert ledger.job("ward", job.id).role is job.role

    def of(*roles: Role) -> list[Role]:
        return [job.role for job in ledger.jobs("ward", JobFilter(roles=frozenset(roles)))]

    assert of(Role.SHADOW) == [Role.SHADOW]
    assert of(Role.CANARY, Role.CURRENT) == [Role.CANARY, Role.CURRENT]
    assert len(of()) == 4
    finish(ledger)
    assert ledger.rerun("ward", jobs[0].id, at(1)).role is Role.CURRENT
    ledger.cancel("ward", jobs[1].id, T0)
    assert ledger.rerun("ward", jobs[1].id, at(1)).role is Role.SHADOW


def test_a_shadow_of_the_same_release_is_another_job_and_supersedes_nothing(ledger: Ledger) -> None:  # noqa: F811
    arrival = ledger.add_arrival(make_arrival(1))
    shadow, _ = ledger.enqueue(make_job(arrival, role=Role.SHADOW, created_at=at(-1)))
    finish(ledger)
    current, new = ledger.enqueue(make_job(arrival))
    assert new and current.id != shadow.id
    finish(ledger)
    later, _ = ledger.enqueue(make_job(ledger.add_arrival(make_arrival(1, 2))))
    finish(ledger)
    assert superseded(ledger) == {current.id: later.id, later.id: ""}
    assert superseded(ledger, shadows=True) == {shadow.id: ""}
    assert [r.job_id for r in ledger.results("ward", shadows=True)] == [shadow.id]
    assert [r.job_id for r in ledger.results("ward")] == [later.id]


def superseded(ledger: Ledger, *, shadows: bool = False) -> dict[str, str]:  # noqa: F811
    found = ledger.results("ward", current_only=False, shadows=shadows)
    return {result.job_id: result.superseded_by for result in found}


def read(ledger: Ledger, versions: Sequence[tuple[int, str, Role]]) -> list[Job]:  # noqa: F811
    """Read versions of one study, each under a release in a role; all in this order."""
    arrivals = {
        n: ledger.add_arrival(make_arrival(*range(1, n + 1))) for n in sorted({v[0] for v in versions})
    }
    jobs = []
    for version, release, role in versions:
        job = make_job(arrivals[version], make_pipeline(release=release), role=role)
        jobs.append(ledger.enqueue(job)[0])
        finish(ledger)
    return jobs


@pytest.mark.parametrize("role", [Role.CURRENT, Role.CANARY])
def test_a_later_version_under_a_promoted_release_supersedes(ledger: Ledger, role: Role) -> None:  # noqa: F811
    old, new = read(ledger, [(1, "sha256:aa", Role.CURRENT), (2, "sha256:bb", role)])
    assert superseded(ledger) == {old.id: new.id, new.id: ""}


def test_an_early_version_that_ends_late_is_born_superseded_across_releases(ledger: Ledger) -> None:  # noqa: F811
    new, old = read(ledger, [(2, "sha256:bb", Role.CURRENT), (1, "sha256:aa", Role.CURRENT)])
    assert superseded(ledger) == {new.id: "", old.id: new.id}


def test_the_same_version_under_two_releases_is_two_results(ledger: Ledger) -> None:  # noqa: F811
    one, other = read(ledger, [(1, "sha256:aa", Role.CURRENT), (1, "sha256:bb", Role.CURRENT)])
    assert superseded(ledger) == {one.id: "", other.id: ""}


def test_a_past_study_run_by_hand_under_another_release_stays_apart(ledger: Ledger) -> None:  # noqa: F811
    by_hand, later = read(ledger, [(1, "sha256:bb", Role.RERUN), (2, "sha256:aa", Role.CURRENT)])
    assert superseded(ledger) == {by_hand.id: "", later.id: ""}


def test_other_settings_are_another_track(ledger: Ledger) -> None:  # noqa: F811
    first, second = (ledger.add_arrival(make_arrival(*seeds)) for seeds in ((1,), (1, 2)))
    pipeline = make_pipeline()
    ledger.enqueue(make_job(first, pipeline))
    finish(ledger)
    stage = replace(pipeline.stages[0], settings={"outputs": ["sr"]}, release="sha256:bb")
    ledger.enqueue(make_job(second, replace(pipeline, stages=(stage,))))
    finish(ledger)
    assert set(superseded(ledger).values()) == {""}


def test_comparisons_are_one_per_shadow_and_newest_first(ledger: Ledger) -> None:  # noqa: F811
    shadows = []
    for n in (1, 2):
        arrival = ledger.add_arrival(make_arrival(n, subject=str(n)))
        shadows.append(ledger.enqueue(make_job(arrival, role=Role.SHADOW))[0])
    first, second = (make_comparison(job, dice=0.5 + n / 4) for n, job in enumerate(shadows))
    ledger.put_comparison(replace(first, problem="the current job failed", labels=(), numbers={}))
    ledger.put_comparison(replace(second, compared_at=at(1)))
    ledger.put_comparison(replace(first, compared_at=at(2)))
    assert list(ledger.comparisons("ward")) == [
        replace(first, compared_at=at(2)),
        replace(second, compared_at=at(1)),
    ]
    assert len(ledger.comparisons("ward", pipeline="spleen", release="sha256:aa")) == 2
    assert ledger.comparisons("ward", release="sha256:bb") == []
    assert ledger.comparisons("ward", pipeline="liver") == []
    assert ledger.comparisons("clinic") == []


def test_ended_shadows_wait_for_their_comparison(ledger: Ledger) -> None:  # noqa: F811
    arrival = ledger.add_arrival(make_arrival(1))
    ledger.enqueue(make_job(arrival, make_pipeline(release="sha256:cc")))
    finish(ledger)
    assert list(ledger.uncompared()) == []
    cancelled, _ = ledger.enqueue(make_job(arrival, make_pipeline(release="sha256:dd"), role=Role.SHADOW))
    ledger.cancel("ward", cancelled.id, T0)
    shadow, _ = ledger.enqueue(make_job(arrival, role=Role.SHADOW))
    assert list(ledger.uncompared()) == []
    dead = ledger.fail(must_take(ledger), FAILURE, now=T0, retry_at=None)
    assert [job.id for job in ledger.uncompared()] == [shadow.id]
    ledger.put_comparison(make_comparison(dead, compared_at=at(1)))
    assert list(ledger.uncompared()) == []

    ledger.redrive("ward", shadow.id, at(2))
    assert list(ledger.uncompared()) == []
    finish(ledger, now=at(3))
    assert [(job.id, job.state) for job in ledger.uncompared()] == [(shadow.id, JobState.SUCCEEDED)]
    ledger.put_comparison(make_comparison(shadow, compared_at=at(4)))
    assert list(ledger.uncompared(limit=1)) == []
