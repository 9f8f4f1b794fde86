"""Jobs found by what people type."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bedside.cli.deployment import Opened, checked_tenant, whole
from bedside.domain.job import Job, JobState, job_id
from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.errors import NotFound, UsageError
from bedside.ports import JobFilter

AT = datetime(2026, 1, 2, tzinfo=UTC)
PIPELINE = Pipeline(name="p", stages=(Stage(name="infer", kind=StageKind.COMMAND, command=("true",)),))


def job(identity: str, run: int = 0) -> Job:
    return Job(
        tenant="default",
        id=job_id(identity, run),
        identity=identity,
        run=run,
        arrival_id="a",
        subject="1.2",
        arrival_version=1,
        pipeline=PIPELINE,
        rule="",
        state=JobState.SUCCEEDED,
        not_before=AT,
        created_at=AT,
    )


class Ledger:
    """Knows some jobs, newest first."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs

    def job(self, tenant: str, job_id: str) -> Job:
        for one in self._jobs:
            if one.id == job_id:
                return one
        raise NotFound(job_id)

    def jobs(self, tenant: str, where: JobFilter, *, limit: int = 100, offset: int = 0) -> Sequence[Job]:
        return self._jobs[offset : offset + limit]


@pytest.fixture
def opened() -> Opened:
    jobs = [job("abcdef", 1), job("abcdef"), job("abc999")]
    return Opened(settings=None, tenant="default", ledger=Ledger(jobs), blobs=None, clock=None, tenants=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("abcdef", "abcdef"),
        ("abcdef.r1", "abcdef.r1"),
        ("abcd", "abcdef.r1"),
        ("abcd.r0", "abcdef"),
        ("abcd.r1", "abcdef.r1"),
        ("abc9", "abc999"),
    ],
)
def test_a_job_by_its_id_or_the_beginning_of_it(opened: Opened, typed: str, found: str) -> None:
    assert opened.job(typed).id == found


def test_several_and_none(opened: Opened) -> None:
    with pytest.raises(UsageError, match="3 jobs begin with abc"):
        opened.job("abc")
    for typed in ("f", "abcd.r2", "abcd.rx"):
        with pytest.raises(NotFound):
            opened.job(typed)
    assert opened.newest_job().id == "abcdef.r1"


def test_a_tenant_is_the_first_or_one_that_is_named() -> None:
    assert checked_tenant("", ("one", "two")) == "one"
    assert checked_tenant("two", ("one", "two")) == "two"
    assert checked_tenant("h/ct", ("one", "h.ct")) == checked_tenant("h.ct", ("h.ct",)) == "h.ct"
    with pytest.raises(UsageError, match="there is no tenant yet"):
        checked_tenant("", ())
    with pytest.raises(UsageError, match="nearest of 2 is 'two'"):
        checked_tenant("tow", ("one", "two"))


def test_who_deployed_from_here_and_serves_nothing_here_is_told_where_the_ledger_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bedside.toml").write_text('[deploy]\nname = "ward"\n')
    (tmp_path / ".bedside" / "deploy" / "ward").mkdir(parents=True)
    for said in (True, False):  # the second time there is a ledger here, which somebody may want
        with whole(None):
            pass
        told = capsys.readouterr().err
        assert ("that of deployment ward on AWS is asked by bedside deploy run -- COMMAND" in told) is said
