"""What every ledger answers to people who follow studies and jobs: lists, filters, counts, places, news."""

from dataclasses import replace

import pytest

from bedside.domain.arrival import ArrivalSummary, EntryState, summary
from bedside.domain.job import Job, JobState, LedgerEvent
from bedside.domain.release import Role
from bedside.errors import NotFound
from bedside.ports import JobFilter, Ledger, StudyFilter
from contracts.test_ledger import EVERY, ledger, on_postgresql  # noqa: F401 - the fixture: the same ledgers
from ledger_samples import FAILURE, T0, at, make_arrival, make_entry, make_job, make_pipeline, make_result

SPLEEN = make_pipeline("spleen", release="sha256:aa")
LIVER = make_pipeline("liver", release="sha256:bb")


@pytest.fixture
def filled(ledger: Ledger) -> Ledger:  # noqa: F811
    """Twelve studies, one per second, with a job each: even ones spleen, odd ones liver."""
    for number in range(12):
        arrival = ledger.add_arrival(
            make_arrival(number + 1, subject=f"1.2.{number}", received_at=at(number // 2))
        )
        job = make_job(arrival, LIVER if number % 2 else SPLEEN, created_at=at(number // 2))
        ledger.enqueue(replace(job, rule="livers" if number % 2 else "every CT"))
    return ledger


def subjects(found: "list[Job] | list[ArrivalSummary] | object") -> list[int]:
    return [int(one.subject.rpartition(".")[2]) for one in found]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["jobs", "studies"])
def test_a_list_goes_on_after_the_last_one_shown_whatever_came_meanwhile(filled: Ledger, kind: str) -> None:
    where = JobFilter() if kind == "jobs" else StudyFilter()
    ask = getattr(filled, kind)
    first = ask("ward", where, limit=5)
    assert subjects(first) == [11, 10, 9, 8, 7]  # of equal times, the one recorded last is first
    late = filled.add_arrival(make_arrival(99, subject="1.2.99", received_at=at(50)))
    filled.enqueue(make_job(late, created_at=at(50)))
    assert subjects(ask("ward", where, limit=5, after=first[-1].id)) == [6, 5, 4, 3, 2]
    assert subjects(ask("ward", where, after=first[-1].id)) == [6, 5, 4, 3, 2, 1, 0]
    assert subjects(ask("ward", where, limit=1)) == [99]
    with pytest.raises(NotFound):
        ask("other", where, after=first[-1].id)  # a place in another tenant's list says nothing here


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (JobFilter(pipeline="liver"), [11, 9, 7, 5, 3, 1]),
        (JobFilter(release="sha256:bb"), [11, 9, 7, 5, 3, 1]),
        (JobFilter(release="sha256:b"), []),
        (JobFilter(rule="livers", since=at(4)), [11, 9]),
        (JobFilter(since=at(2), until=at(4)), [7, 6, 5, 4]),
        (JobFilter(subject="1.2.3"), [3]),
        (JobFilter(text="1.2.1"), [11, 10, 1]),
        (JobFilter(text="1.2.%"), []),
        (JobFilter(text="1.2.1", named=frozenset({"1.2.5"})), [11, 10, 5, 1]),
        (JobFilter(named=frozenset({"1.2.5", "7"})), [5]),
        (JobFilter(states=frozenset({JobState.RUNNING})), [0]),
        (
            JobFilter(states=frozenset({JobState.RUNNING, JobState.QUEUED}), pipeline="spleen"),
            [10, 8, 6, 4, 2, 0],
        ),
        (JobFilter(roles=frozenset({Role.SHADOW})), []),
    ],
)
def test_jobs_by_what_they_are(filled: Ledger, where: JobFilter, expected: list[int]) -> None:
    filled.lease(pools=(), worker="w", now=at(0), lease_s=60)
    assert subjects(filled.jobs("ward", where)) == expected
    assert filled.jobs("other", where) == []
    counts = filled.job_counts("ward", replace(where, states=frozenset()))
    assert filled.job_counts("ward", where) == counts
    assert sum(counts.values()) == len(filled.jobs("ward", replace(where, states=frozenset())))


def test_jobs_by_the_beginning_of_an_id_and_by_arrivals(filled: Ledger) -> None:
    job = filled.jobs("ward", EVERY)[3]
    assert filled.jobs("ward", JobFilter(text=job.id[:8])) == [job]
    assert filled.jobs("ward", JobFilter(text=job.arrival_id[:8])) == [job]
    other = filled.jobs("ward", EVERY)[5]
    both = frozenset({job.arrival_id, other.arrival_id})
    assert filled.jobs("ward", JobFilter(arrivals=both)) == [job, other]


def test_counts_are_per_state(filled: Ledger) -> None:
    lease = filled.lease(pools=(), worker="w", now=at(0), lease_s=60)
    assert lease is not None
    filled.complete(lease, make_result(lease), now=at(1))
    filled.cancel("ward", filled.jobs("ward", JobFilter(subject="1.2.1"))[0].id, at(1))
    found = filled.job_counts("ward", EVERY)
    assert found == {JobState.QUEUED: 10, JobState.SUCCEEDED: 1, JobState.CANCELLED: 1}
    assert filled.job_counts("other", EVERY) == {}


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (StudyFilter(jobs=JobFilter(pipeline="liver"), since=at(4)), [11, 9]),
        (StudyFilter(jobs=JobFilter(states=frozenset({JobState.RUNNING}))), [0]),
        (StudyFilter(jobs=JobFilter(release="sha256:aa"), until=at(2)), [2, 0]),
        (StudyFilter(without_job=True), [50]),
        (StudyFilter(text="1.2.1", until=at(3)), [1]),
        (StudyFilter(named=frozenset({"1.2.4"})), [4]),
        (StudyFilter(subject="1.2.4"), [4]),
    ],
)
def test_studies_by_what_became_of_them(filled: Ledger, where: StudyFilter, expected: list[int]) -> None:
    filled.lease(pools=(), worker="w", now=at(0), lease_s=60)
    filled.add_arrival(make_arrival(500, subject="9.9.50", received_at=at(2)))
    assert subjects(filled.studies("ward", where)) == expected
    assert filled.studies("other", where) == []


def test_a_study_is_listed_by_its_newest_version_without_its_files(filled: Ledger) -> None:
    later = filled.add_arrival(make_arrival(3, 301, subject="1.2.2", received_at=at(70)))
    found = filled.studies("ward", StudyFilter())
    assert found[0] == summary(later) and (found[0].version, found[0].instances) == (2, 2)
    assert found[0].size_bytes == 103 + 401
    assert len(found) == 12
    versions = filled.studies("ward", StudyFilter(subject="1.2.2", all_versions=True))
    assert [one.version for one in versions] == [2, 1]


def test_entries_by_state_and_by_what_they_became(ledger: Ledger) -> None:  # noqa: F811
    one, two = make_arrival(1).id, make_arrival(2).id
    made = [
        replace(make_entry(f"input/{n}.zip", seen_at=at(n)), state=state, arrivals=arrivals)
        for n, (state, arrivals) in enumerate(
            [(EntryState.TAKEN, (one, two)), (EntryState.REJECTED, ()), (EntryState.SETTLED, (two,))]
        )
    ]
    for entry in made:
        ledger.put_entry(entry)
    assert ledger.entries("ward", arrival_id=two) == [made[2], made[0]]
    assert ledger.entries("ward", arrival_id=two, limit=1) == [made[2]]
    assert ledger.entries("ward", arrival_id=two, limit=1, offset=1) == [made[0]]
    assert ledger.entries("ward", states=frozenset({EntryState.REJECTED})) == [made[1]]
    assert ledger.entries("ward", arrival_id="%") == []


def test_a_place_in_line_is_that_of_leasing(ledger: Ledger) -> None:  # noqa: F811
    added = [
        make_job(make_arrival(n, subject=f"1.{n}"), priority=priority, created_at=at(n))
        for n, priority in enumerate([0, 5, 0, 0, 5], start=1)
    ]
    for job in added:
        ledger.enqueue(job)
    ledger.enqueue(make_job(make_arrival(8, tenant="other", subject="8"), priority=9))
    ledger.enqueue(make_job(make_arrival(9, subject="9"), make_pipeline(pools=("gpu",)), priority=9))
    before = {job.id: ledger.jobs_before(job) for job in added}
    assert sorted(before.values()) == [1, 2, 3, 4, 5]
    assert ledger.jobs_before(added[3], limit=2) == 2
    assert ledger.lease(pools=("default",), worker="w", now=at(20), lease_s=60) is not None
    for place in range(5):
        lease = ledger.lease(pools=("default",), worker="w", now=at(20), lease_s=60)
        assert lease is not None and before[lease.job.id] == place + 1


def test_news_are_numbered_and_a_tenants_own(ledger: Ledger) -> None:  # noqa: F811
    assert ledger.last_event() == 0 or ledger.news("ward", after=0) == []
    ledger.enqueue(make_job(make_arrival(1)))
    ledger.add_event(LedgerEvent(at=T0, tenant="other", action="x"))
    start = ledger.last_event()
    assert ledger.news("ward", after=start) == []
    lease = ledger.lease(pools=(), worker="w", now=at(1), lease_s=60)
    assert lease is not None
    ledger.fail(lease, FAILURE, now=at(2), retry_at=at(9))
    found = ledger.news("ward", after=start)
    assert [line.action for _, line in found] == ["job.lease", "job.retry_later"]
    assert ledger.news("ward", after=found[0][0]) == found[1:]
    assert ledger.news("ward", after=start, limit=1) == found[:1]
    assert ledger.last_event() == found[-1][0]
    assert len(ledger.news("other", after=0)) == 1
