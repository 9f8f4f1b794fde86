"""What every store of judgements keeps to: in memory, on SQLite, and on a real PostgreSQL server."""

import inspect
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete

from bedside.adapters.memory.judgements import MemoryJudgements
from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.judgements import SqlJudgements
from bedside.adapters.sql.judgements_tables import judgements as table
from bedside.domain.judgement import Correction, Judgement, RejectionReason, Verdict
from bedside.domain.release import LabelComparison
from bedside.ports.judgements import JudgementFilter, Judgements
from ledger_samples import at
from services import PostgresServer

EVERY = JudgementFilter()
ON_A_SERVER = pytest.param("postgresql", marks=pytest.mark.needs("initdb", "pg_ctl"))


@pytest.fixture(scope="module")
def on_postgresql(postgres: PostgresServer) -> Iterator[SqlLedger]:
    made = SqlLedger(postgres.database())
    made.prepare()
    yield made
    made.close()


@pytest.fixture(params=["memory", "sqlite", ON_A_SERVER])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Judgements]:
    if request.param == "memory":
        yield MemoryJudgements()
        return
    if request.param == "postgresql":
        shared: SqlLedger = request.getfixturevalue("on_postgresql")
        with shared._database.write() as connection:
            connection.execute(delete(table))
        yield shared.records.judgements
        return
    made = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    made.prepare()
    yield made.records.judgements
    made.close()


def said(
    name: str, verdict: Verdict = Verdict.ACCEPTED, *, job: str = "j1", seconds: float = 0, **more: object
) -> Judgement:
    judgement = Judgement(
        tenant="ward",
        id=name,
        job_id=job,
        arrival_id="a1",
        pipeline="spleen",
        release="sha256:1",
        verdict=verdict,
        reviewer="p-1",
        judged_at=at(seconds),
    )
    return replace(judgement, **more)  # type: ignore[arg-type]


CORRECTION = Correction(
    key="results/a1/j1/corrections/c/seg.dcm",
    sop_instance_uid="2.25.2",
    series_uid="2.25.3",
    predecessor_uid="2.25.1",
    labels=(LabelComparison(label="spleen", dice=0.9375, volume_ml=210.5, against_volume_ml=200.25),),
)


@pytest.mark.parametrize("adapter", [MemoryJudgements, SqlJudgements])
def test_signatures_are_the_ports(adapter: type) -> None:
    port = {n: v for n, v in vars(Judgements).items() if inspect.isfunction(v) and n[0] != "_"}
    assert set(port) == {"add", "find", "standing"}
    for name, promised in port.items():
        assert inspect.signature(getattr(adapter, name)) == inspect.signature(promised), name


def test_every_value_comes_back(kept: Judgements) -> None:
    rejected = said("r", Verdict.REJECTED, reason=RejectionReason.BORDER, comment="zu groß 🫀")
    corrected = said("c", Verdict.CORRECTED, seconds=1, correction=CORRECTION)
    assert kept.add(rejected) and kept.add(corrected)
    assert list(kept.find("ward", EVERY)) == [corrected, rejected]


def test_one_that_is_there_is_not_written_again(kept: Judgements) -> None:
    assert kept.add(said("a"))
    assert not kept.add(said("a", Verdict.REMARK, comment="other"))
    assert kept.add(said("a", tenant="other"))
    assert [j.verdict for j in kept.find("ward", EVERY)] == [Verdict.ACCEPTED]


def test_another_tenants_are_not_seen(kept: Judgements) -> None:
    kept.add(said("a", tenant="other"))
    assert list(kept.find("ward", EVERY)) == list(kept.standing("ward", EVERY)) == []


def test_filters_narrow_and_pages_follow_one_another(kept: Judgements) -> None:
    for number in range(5):
        kept.add(
            said(f"j{number}", seconds=number, job=f"j{number}", pipeline="lung" if number % 2 else "spleen")
        )
    names = [j.id for j in kept.find("ward", EVERY)]
    assert names == ["j4", "j3", "j2", "j1", "j0"]
    assert [j.id for j in kept.find("ward", EVERY, limit=2, offset=2)] == ["j2", "j1"]
    assert [j.id for j in kept.find("ward", JudgementFilter(pipeline="lung"))] == ["j3", "j1"]
    assert [j.id for j in kept.find("ward", JudgementFilter(since=at(3)))] == ["j4", "j3"]
    assert [j.id for j in kept.find("ward", JudgementFilter(until=at(1)))] == ["j0"]
    assert [j.id for j in kept.find("ward", JudgementFilter(job_id="j2"))] == ["j2"]
    for nothing in ({"release": "sha256:2"}, {"reviewer": "p-2"}, {"verdicts": frozenset({Verdict.REMARK})}):
        assert not kept.find("ward", JudgementFilter(**nothing)), nothing


def test_the_newest_that_counts_stands(kept: Judgements) -> None:
    kept.add(said("1", Verdict.REJECTED, reason=RejectionReason.SIDE))
    kept.add(said("2", Verdict.ACCEPTED, seconds=1, reviewer="p-2"))
    kept.add(said("3", Verdict.REMARK, seconds=2, comment="as agreed"))
    kept.add(said("4", Verdict.ACCEPTED, job="j2"))
    kept.add(said("5", Verdict.CORRECTED, job="j2", correction=CORRECTION))  # at the same time, said after it
    assert [j.id for j in kept.standing("ward", EVERY)] == ["2", "5"]
    rejected = JudgementFilter(verdicts=frozenset({Verdict.REJECTED}))
    assert not kept.standing("ward", rejected), "it was accepted since"
    assert [j.id for j in kept.standing("ward", JudgementFilter(reviewer="p-2"))] == ["2"]
