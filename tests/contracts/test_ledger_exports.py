"""What every ledger keeps of exports to the archive: queued with the end of a job, changed one at a time."""

from datetime import timedelta

import pytest

from bedside.domain.export import (
    ExportState,
    StudyPart,
    claimed,
    confirmed,
    failed,
    first_export,
    retried,
    sent,
    waiting,
)
from bedside.domain.job import Job
from bedside.errors import UsageError
from bedside.ports import Ledger
from contracts.test_ledger import ledger, must_take, on_postgresql  # noqa: F401 - fixtures
from ledger_samples import T0, at, make_arrival, make_job, make_result


def ended(ledger: Ledger, seed: int = 1, *, archive: bool = True, tenant: str = "ward") -> Job:  # noqa: F811
    arrival = ledger.add_arrival(make_arrival(seed, tenant=tenant, subject=f"1.2.{seed}"))
    ledger.enqueue(make_job(arrival))
    lease = must_take(ledger)
    return ledger.complete(lease, make_result(lease), now=at(seed), archive=archive)


def test_a_job_that_ends_queues_its_export_if_asked_to(ledger: Ledger) -> None:  # noqa: F811
    job = ended(ledger)
    expected = first_export("ward", job.id, job.prefix, at(1))
    assert ledger.export("ward", job.id) == expected
    assert expected.prefix == f"{job.prefix}/dicom" and expected.state is ExportState.QUEUED
    assert ledger.export("clinic", job.id) is None
    other = ended(ledger, 2, archive=False)
    assert ledger.export("ward", other.id) is None
    assert list(ledger.exports("ward")) == list(ledger.due_exports(at(10))) == [expected]


def test_every_value_of_an_export_comes_back(ledger: Ledger) -> None:  # noqa: F811
    job = ended(ledger)
    export = ledger.export("ward", job.id)
    assert export is not None
    for after in (
        claimed(export, at(5), timedelta(minutes=1), study=True),
        sent(claimed(export, at(5), timedelta(minutes=1), study=True), "ticket", at(6), at(9)),
    ):
        assert ledger.put_export(after)
        assert ledger.export("ward", job.id) == after
    after = confirmed(after, 3, (("seg.dcm", "ValidationException"),), at(12))
    assert ledger.put_export(after)
    assert ledger.export("ward", job.id) == after
    assert after.study is StudyPart.TRIED, "what was refused may be of the study"
    after = retried(after, at(20))
    assert ledger.put_export(after) and ledger.export("ward", job.id) == after
    after = claimed(after, at(21), timedelta(minutes=1))
    assert ledger.put_export(after)
    after = confirmed(after, 4, (), at(22), study=True)
    assert ledger.put_export(after) and ledger.export("ward", job.id) == after
    assert after.study is StudyPart.STORED


def test_only_the_first_change_of_a_revision_is_written(ledger: Ledger) -> None:  # noqa: F811
    job = ended(ledger)
    export = ledger.export("ward", job.id)
    assert export is not None
    one = claimed(export, at(5), timedelta(minutes=1))
    other = waiting(export, "out of reach", at(5), at(50), counts=True)
    assert ledger.put_export(one)
    assert not ledger.put_export(other)
    assert not ledger.put_export(one)
    assert not ledger.put_export(export)
    assert ledger.export("ward", job.id) == one


def test_exports_are_due_when_open_and_not_waiting(ledger: Ledger) -> None:  # noqa: F811
    jobs = [ended(ledger, seed, tenant="clinic" if seed == 3 else "ward") for seed in (1, 2, 3, 4)]
    first, second, third, fourth = (ledger.export(job.tenant, job.id) for job in jobs)
    assert first and second and third and fourth
    assert ledger.put_export(waiting(first, "throttled", at(5), at(100), counts=True))
    assert ledger.put_export(failed(fourth, "given up", at(6)))
    assert list(ledger.due_exports(T0)) == []
    assert list(ledger.due_exports(at(99))) == [second, third]
    assert list(ledger.due_exports(at(99), limit=1)) == [second]
    assert [export.job_id for export in ledger.due_exports(at(100))] == [jobs[1].id, jobs[2].id, jobs[0].id]
    assert [e.job_id for e in ledger.exports("ward")] == [jobs[3].id, jobs[1].id, jobs[0].id]
    assert [e.job_id for e in ledger.exports("ward", limit=1)] == [jobs[3].id]
    failures = ledger.exports("ward", states=frozenset({ExportState.FAILED}))
    assert [e.job_id for e in failures] == [jobs[3].id]


def test_what_did_not_fail_is_not_sent_again() -> None:
    export = first_export("ward", "j", "results/a/j", T0)
    stored = confirmed(export, 2, (), at(1))
    assert stored.state is ExportState.STORED
    for wrong in (export, stored):
        with pytest.raises(UsageError, match="no move 'retry'"):
            retried(wrong, at(2))


def test_a_token_is_the_same_until_it_is_sent_anew() -> None:
    export = first_export("ward", "j", "results/a/j", T0)
    assert waiting(export, "x", T0, T0, counts=True).token == export.token
    assert retried(failed(export, "x", T0), T0).token != export.token
    assert first_export("clinic", "j", "results/a/j", T0).token != export.token
