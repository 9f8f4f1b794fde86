"""What every catalogue keeps to: in memory, on SQLite, and on a real PostgreSQL server."""

import inspect
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import delete

from bedside.adapters.memory.catalogue import MemoryCatalogue
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.adapters.sql import SqlLedger
from bedside.adapters.sql.catalogue import SqlCatalogue
from bedside.adapters.sql.schema import metadata
from bedside.domain.arrival import Arrival
from bedside.domain.catalogue import Found, Source, SourceKind
from bedside.domain.matching import match_of
from bedside.domain.release import Role
from bedside.domain.searchable import FIELDS, MODALITIES, Level
from bedside.errors import UsageError
from bedside.ports import Ledger
from bedside.ports.catalogue import Catalogue, Head, Search
from catalogue_samples import STUDY, instance
from ledger_samples import at, make_arrival, make_job, make_pipeline, make_result
from services import PostgresServer

ON_A_SERVER = pytest.param("postgresql", marks=pytest.mark.needs("initdb", "pg_ctl"))
BY_NAME = {field.keyword: field for field in (*FIELDS, MODALITIES)}


@dataclass(frozen=True)
class Kept:
    """A catalogue, and the ledger that it follows."""

    ledger: Ledger
    catalogue: Catalogue

    def arrive(self, *seeds: int, tenant: str = "ward", study: str = STUDY) -> Source:
        arrival = self.ledger.add_arrival(make_arrival(*seeds, tenant=tenant, subject=study))
        return source_of(arrival)

    def put(self, source: Source, *numbers: int, **changes: str) -> bool:
        brought = [instance(n, study=source.study_uid, **changes) for n in numbers]  # type: ignore[arg-type]
        return self.catalogue.put(source, brought, done=True)

    def write(self, arrival: Arrival, *, release: str = "sha256:aa", role: Role = Role.CURRENT) -> str:
        job, _ = self.ledger.enqueue(make_job(arrival, make_pipeline(release=release), role=role))
        lease = self.ledger.lease(pools=("default",), worker="w", now=at(1), lease_s=60)
        assert lease is not None and lease.job.id == job.id
        self.ledger.complete(lease, make_result(lease, created_at=at(2)), now=at(2))
        return job.id


def source_of(arrival: Arrival) -> Source:
    return Source(
        tenant=arrival.tenant,
        study_uid=arrival.subject,
        kind=SourceKind.ARRIVAL,
        id=arrival.id,
        rank=arrival.version,
    )


@pytest.fixture(scope="module")
def on_postgresql(postgres: PostgresServer) -> Iterator[SqlLedger]:
    made = SqlLedger(postgres.database())
    made.prepare()
    yield made
    made.close()


@pytest.fixture(params=["memory", "sqlite", ON_A_SERVER])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "memory":
        ledger = MemoryLedger()
        yield Kept(ledger, MemoryCatalogue(ledger))
        return
    if request.param == "postgresql":
        shared: SqlLedger = request.getfixturevalue("on_postgresql")
        with shared._database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
        yield Kept(shared, shared.records.catalogue)
        return
    made = SqlLedger(f"sqlite:///{tmp_path}/ledger.db")
    made.prepare()
    yield Kept(made, made.records.catalogue)
    made.close()


@pytest.mark.parametrize("adapter", [MemoryCatalogue, SqlCatalogue])
def test_every_adapter_has_the_ports_calls(adapter: type) -> None:
    for name, call in inspect.getmembers(Catalogue, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(adapter, name)) == inspect.signature(call), name


def test_what_was_put_is_there_with_its_counts_and_where_its_bytes_lie(kept: Kept) -> None:
    source = kept.arrive(1, 2)
    assert kept.catalogue.study("ward", STUDY) is None
    assert kept.catalogue.put(source, [instance(2), instance(10), instance(1, series="1.2.3.4")], done=True)
    study = kept.catalogue.study("ward", STUDY)
    assert study is not None
    assert (study.series, study.instances, study.modalities) == (2, 3, ("CT",))
    assert (study.patient_name, study.patient_id, study.date) == ("Müller, Jürgen", "P-7", "2026-01-15")
    assert "Müller" not in repr(study)
    assert [(s.series_uid, s.instances) for s in kept.catalogue.series("ward", STUDY)] == [
        ("1.2.3.1", 2),
        ("1.2.3.4", 1),
    ]
    assert [i.sop_instance_uid for i in kept.catalogue.instances("ward", STUDY, "1.2.3.1")] == [
        "1.2.3.1.2",
        "1.2.3.1.10",
    ]
    found = kept.catalogue.instance("ward", STUDY, "1.2.3.1", "1.2.3.1.2")
    assert found is not None
    assert found[0].key == "arrivals/files/1.2.3.1.2.dcm" and found[0].size_bytes == 1002
    assert found[1] == instance(2).described.layout
    assert [text for _, text in kept.catalogue.metadata("ward", STUDY, "1.2.3.4")] == [
        instance(1, series="1.2.3.4").described.metadata
    ]
    assert kept.catalogue.instance("ward", STUDY, "1.2.3.4", "1.2.3.1.2") is None


def test_another_tenant_sees_nothing_of_it(kept: Kept) -> None:
    kept.put(kept.arrive(1, tenant="ward"), 1)
    kept.put(kept.arrive(1, tenant="clinic"), 1, 2)
    everything = Search(level=Level.INSTANCE)
    assert [len(kept.catalogue.search(t, everything)) for t in ("ward", "clinic", "else")] == [1, 2, 0]
    by_patient = replace(everything, matches=(must_match("PatientID", "P-7"),))
    assert [len(kept.catalogue.search(t, by_patient)) for t in ("ward", "clinic", "else")] == [1, 2, 0]
    assert kept.catalogue.study("else", STUDY) is None
    assert kept.catalogue.instance("else", STUDY, "1.2.3.1", "1.2.3.1.1") is None
    assert list(kept.catalogue.metadata("else", STUDY)) == []
    assert len(kept.catalogue.metadata("clinic", STUDY)) == 2


def test_of_two_versions_the_newer_counts_whichever_is_put_last(kept: Kept) -> None:
    first, second = kept.arrive(1), kept.arrive(1, 2)
    assert (first.rank, second.rank) == (1, 2)
    kept.put(second, 1, 2, key="new", patient="New^Name", accession="A-2")
    kept.put(first, 1, key="old")
    assert {i.key for i in kept.catalogue.instances("ward", STUDY)} == {"new"}
    study = kept.catalogue.study("ward", STUDY)
    assert study is not None and (study.patient_name, study.accession_number) == ("New, Name", "A-2")


def test_an_instance_that_moved_to_another_series_is_there_once(kept: Kept) -> None:
    first, second = kept.arrive(1), kept.arrive(1, 2)
    kept.put(first, 1)
    moved = instance(1, series="1.2.3.9")
    moved = replace(moved, described=replace(moved.described, sop_instance_uid="1.2.3.1.1"))
    kept.catalogue.put(second, [moved], done=True)
    assert [s.series_uid for s in kept.catalogue.series("ward", STUDY)] == ["1.2.3.9"]
    study = kept.catalogue.study("ward", STUDY)
    assert study is not None and (study.series, study.instances) == (1, 1)


def test_what_is_put_again_changes_nothing_but_the_revision(kept: Kept) -> None:
    source = kept.arrive(1)
    kept.put(source, 1, 2)
    before = kept.catalogue.study("ward", STUDY)
    kept.put(source, 1, 2)
    after = kept.catalogue.study("ward", STUDY)
    assert before is not None and after is not None
    assert after.revision > before.revision and replace(after, revision=before.revision) == before


def test_a_study_lacks_its_newest_version_until_all_of_it_was_put(kept: Kept) -> None:
    first = kept.arrive(1)
    assert list(kept.catalogue.behind(Head())) == [("ward", STUDY)]
    kept.catalogue.put(first, [instance(1)], done=False)
    assert kept.catalogue.lacking("ward", STUDY).wanted == (first,)
    kept.put(first, 2)
    assert not kept.catalogue.lacking("ward", STUDY) and list(kept.catalogue.behind(Head())) == []
    head = kept.catalogue.head()
    second = kept.arrive(1, 2)
    assert list(kept.catalogue.behind(head)) == [("ward", STUDY)]
    assert kept.catalogue.lacking("ward", STUDY).wanted == (second,)
    assert not kept.catalogue.lacking("clinic", STUDY)


def test_results_come_and_superseded_ones_go_and_shadows_never_come(kept: Kept) -> None:
    arrival = kept.ledger.add_arrival(make_arrival(1))
    kept.put(source_of(arrival), 1)
    old = kept.write(arrival)
    kept.write(arrival, release="sha256:shadow", role=Role.SHADOW)
    (source,) = kept.catalogue.lacking("ward", STUDY).wanted
    assert (source.kind, source.id) == (SourceKind.RESULT, old)
    assert source.prefix == kept.ledger.result("ward", old).prefix  # type: ignore[union-attr]
    kept.put(source, 1, series="1.2.3.50", modality="SEG", patient="Other^Name")
    study = kept.catalogue.study("ward", STUDY)
    assert study is not None and study.modalities == ("CT", "SEG")
    assert study.patient_name == "Müller, Jürgen", "an arrival's word counts more than a result's"
    kept.ledger.rerun("ward", old, at(3))
    lease = kept.ledger.lease(pools=("default",), worker="w", now=at(4), lease_s=60)
    assert lease is not None
    kept.ledger.complete(lease, make_result(lease, created_at=at(5)), now=at(5))
    lacking = kept.catalogue.lacking("ward", STUDY)
    assert [s.id for s in lacking.wanted] == [lease.job.id]
    assert lacking.withdrawn == (source,)
    assert not kept.put(source, 1), "what was superseded does not come back"
    kept.put(lacking.wanted[0], 2, series="1.2.3.51", modality="SEG")
    kept.catalogue.withdraw(source)
    assert [s.series_uid for s in kept.catalogue.series("ward", STUDY)] == ["1.2.3.1", "1.2.3.51"]
    assert not kept.catalogue.lacking("ward", STUDY) and list(kept.catalogue.behind(Head())) == []


def test_nothing_is_put_for_what_the_ledger_does_not_know(kept: Kept) -> None:
    unknown = source_of(replace(make_arrival(1), version=1))
    assert not kept.put(unknown, 1)
    assert kept.catalogue.study("ward", STUDY) is None
    kept.catalogue.withdraw(unknown)


def test_several_portals_put_the_same_study_at_once(kept: Kept) -> None:
    source = kept.arrive(1)

    def put(first: int) -> bool:
        return kept.catalogue.put(source, [instance(n) for n in range(first, first + 20)], done=True)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(put, [1, 1, 11, 21]))
    study = kept.catalogue.study("ward", STUDY)
    assert study is not None and study.instances == 40
    assert len(kept.catalogue.instances("ward", STUDY)) == 40


@pytest.mark.parametrize("kept", ["sqlite", ON_A_SERVER], indirect=True)
def test_a_forgotten_tenant_leaves_nothing(kept: Kept) -> None:
    kept.put(kept.arrive(1, tenant="ward"), 1)
    kept.put(kept.arrive(1, tenant="clinic"), 1)
    assert kept.ledger.forget_tenant("ward") >= 5
    assert kept.catalogue.study("ward", STUDY) is None
    assert kept.catalogue.study("clinic", STUDY) is not None
    assert kept.ledger.forget_tenant("ward") == 0


def must_match(keyword: str, text: str) -> object:
    found = match_of(BY_NAME[keyword], text)
    assert found is not None
    return found


def hits(kept: Kept, level: Level = Level.STUDY, **keys: str) -> list[str]:
    matches = tuple(m for k, v in keys.items() if (m := match_of(BY_NAME[k], v)))
    return [_uid(found) for found in kept.catalogue.search("ward", Search(level=level, matches=matches))]


def _uid(found: Found) -> str:
    if found.instance:
        return found.instance.sop_instance_uid
    return found.series.series_uid if found.series else found.study.study_uid


@pytest.fixture
def several(kept: Kept) -> Kept:
    """Three studies."""
    of_first = {"patient": "Müller^Jürgen=山田^太郎", "patient_id": "P-1", "date": "20260115"}
    kept.put(kept.arrive(1, study="1.1"), 1, 2, series="1.1.1", **of_first)
    of_second = {"patient": "MULLER^ANNA", "patient_id": "P-2", "date": "20260301", "time": "1405"}
    kept.put(kept.arrive(2, study="1.2"), 1, series="1.2.1", modality="MR", **of_second)
    of_third = {"patient": "O'Hara^Ann", "patient_id": "p-1", "date": "20251231", "accession": "A*1"}
    kept.put(kept.arrive(3, study="1.3"), 1, series="1.3.1", **of_third)
    return kept


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({}, ["1.2", "1.1", "1.3"]),
        ({"PatientID": "P-1"}, ["1.1"]),
        ({"PatientID": "P-*"}, ["1.2", "1.1"]),
        ({"PatientID": "?-1"}, ["1.1", "1.3"]),
        ({"PatientID": "P"}, []),
        ({"PatientID": "P_*"}, []),
        ({"AccessionNumber": "A?1"}, ["1.2", "1.1", "1.3"]),
        ({"PatientName": "muller*"}, ["1.2", "1.1"]),
        ({"PatientName": "MÜLLER^JÜRGEN"}, ["1.1"]),
        ({"PatientName": "muller^jurgen^^^"}, ["1.1"]),
        ({"PatientName": "山田*"}, ["1.1"]),
        ({"PatientName": "o'hara^?nn"}, ["1.3"]),
        ({"PatientName": "muller"}, []),
        ({"PatientName": "m*太郎"}, []),  # no match from one group into the next
        ({"PatientName": "*"}, ["1.2", "1.1", "1.3"]),
        ({"ReferringPhysicianName": "house*"}, ["1.2", "1.1", "1.3"]),
        ({"StudyDate": "20260115"}, ["1.1"]),
        ({"StudyDate": "20260101-20260201"}, ["1.1"]),
        ({"StudyDate": "20260115-"}, ["1.2", "1.1"]),
        ({"StudyDate": "-20260115"}, ["1.1", "1.3"]),
        ({"StudyTime": "0930-0930"}, ["1.1", "1.3"]),
        ({"StudyTime": "1405"}, ["1.2"]),
        ({"StudyTime": "14-"}, ["1.2"]),
        ({"StudyInstanceUID": "1.1,1.3"}, ["1.1", "1.3"]),
        ({"StudyInstanceUID": "1.1\\1.9"}, ["1.1"]),
        ({"ModalitiesInStudy": "MR"}, ["1.2"]),
        ({"ModalitiesInStudy": "C?"}, ["1.1", "1.3"]),
        ({"StudyDescription": "abdomen*"}, []),
        ({"StudyDescription": "Abdomen [routine] 100%"}, ["1.2", "1.1", "1.3"]),
        ({"StudyDescription": "Abdomen [r*] 100%"}, ["1.2", "1.1", "1.3"]),
        ({"StudyDescription": "Abdomen %"}, []),
        ({"PatientID": "P-1", "StudyDate": "2026*-"}, None),
    ],
)
def test_studies_are_found_by_what_they_say(
    several: Kept, keys: dict[str, str], found: list[str] | None
) -> None:
    if found is None:
        with pytest.raises(UsageError):
            hits(several, **keys)
        return
    assert hits(several, **keys) == found


def test_series_and_instances_are_found_by_their_own_and_by_their_studys(several: Kept) -> None:
    assert hits(several, Level.SERIES, Modality="MR") == ["1.2.1"]
    assert hits(several, Level.SERIES, PatientID="P-1", Modality="CT") == ["1.1.1"]
    for step in ("SPS-1", "SPS-2"):
        wanted = {"RequestAttributesSequence.ScheduledProcedureStepID": step}
        assert len(hits(several, Level.SERIES, **wanted)) == 3
    assert hits(several, Level.INSTANCE, InstanceNumber="2") == ["1.1.1.2"]
    assert hits(several, Level.INSTANCE, SOPInstanceUID="1.2.1.1") == ["1.2.1.1"]
    inside = Search(level=Level.INSTANCE, study_uid="1.1", series_uid="1.1.1")
    assert [_uid(f) for f in several.catalogue.search("ward", inside)] == ["1.1.1.1", "1.1.1.2"]


def test_pages_follow_one_another_without_gap_or_repetition(several: Kept) -> None:
    pages = [
        _uid(found)
        for offset in range(5)
        for found in several.catalogue.search("ward", Search(level=Level.INSTANCE, limit=1, offset=offset))
    ]
    assert pages == ["1.2.1.1", "1.1.1.1", "1.1.1.2", "1.3.1.1"]
