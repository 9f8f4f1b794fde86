"""A study's result goes into AWS HealthImaging, from a folder and from a bucket, and is asked for by command.

HealthImaging is a server made of botocore's model of it here, see `healthimaging`.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pydicom
import pytest

import nothing_bundle
from bedside.adapters.aws import healthimaging as adapter
from bedside.deploy.actual import read_results
from bedside.domain.export import ExportState
from bedside.domain.job import JobState
from bedside.domain.phantom import PREFIX, phantom_study_uid
from bedside.ports.archive import Parcel
from bedside.tenants import archived
from bedside.worker.archive import LOOK
from bedside.worker.stop import Stop
from clinic import SPLEEN, Clinic, zipped
from clouds import Cloud
from dicom_samples import assign
from healthimaging import ROLE, FakeHealthImaging, run_healthimaging

#: Of the study that is read.
SLICES = 6

Made = Callable[..., tuple[Clinic, str]]


@pytest.fixture
def imaging(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHealthImaging]:
    with run_healthimaging(cloud.client("s3"), polls=1) as fake:
        monkeypatch.setenv("AWS_ENDPOINT_URL_MEDICAL_IMAGING", fake.url)
        yield fake


@pytest.fixture
def make(clinic_of: Callable[..., Clinic], imaging: FakeHealthImaging) -> Made:
    def made(*, studies: bool = True, **options: str) -> tuple[Clinic, str]:
        datastore = imaging.add_datastore()
        archive = f'[archive]\ndatastore = "{datastore}"\nrole = "{ROLE}"\n'
        archive += "" if studies else "studies = false\n"
        return clinic_of(pipelines=archive + SPLEEN, **options), datastore

    return made


def read(clinic: Clinic, folder: Path, tenant: str = "default") -> list[str]:
    """Let a study be read by the deployment's worker; return the SOP Instance UIDs of it and its result."""
    folder.mkdir(exist_ok=True)
    study = sorted(nothing_bundle.write_study(folder / "study", seed="archive").iterdir())
    clinic.here.blobs.tenant(tenant).put_file("input/study.zip", zipped(study, folder / "study.zip"))
    clinic.take(tenant)
    worker = clinic.here.worker("w1", clinic.models.runner, Stop(grace_s=60))
    while worker.step():
        pass
    blobs = clinic.here.blobs.tenant(tenant)
    found = []
    for number, blob in enumerate(blobs.list(f"{clinic.job(tenant).prefix}/dicom/")):
        blobs.fetch(blob.key, folder / f"{number}.dcm")
        found.append(pydicom.dcmread(folder / f"{number}.dcm").SOPInstanceUID)
    return sorted([*found, *(pydicom.dcmread(path).SOPInstanceUID for path in study)])


def test_a_result_in_a_folder_is_archived_and_shown(
    make: Made, imaging: FakeHealthImaging, tmp_path: Path
) -> None:
    clinic, datastore = make()
    wrote = read(clinic, tmp_path)
    assert len(wrote) == 2 + SLICES and imaging.instances(datastore) == wrote
    assert imaging.calls == ["StoreDICOM"]
    job = clinic.job()
    [listed] = clinic.type("archive", "list", "--json").json["exports"]
    assert (listed["job"], listed["state"], listed["stored"]) == (job.id, "stored", len(wrote))
    assert f"{len(wrote)} instances" in clinic.type("archive", "list").out
    shown = clinic.type("job", "show", job.id)
    assert "archive.stored" in shown.out
    assert clinic.type("job", "show", job.id, "--json").json["archive"]["state"] == "stored"
    again = clinic.type("archive", "retry", job.id)
    assert again.code == 2 and "is stored" in again.err


def test_a_result_in_a_bucket_is_imported_from_it(
    make: Made,
    cloud: Cloud,
    imaging: FakeHealthImaging,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = cloud.bucket()
    clinic, datastore = make(store_url=f"s3://{bucket}/hospital")
    options = adapter.ImagingOptions
    monkeypatch.setattr(adapter, "ImagingOptions", lambda **given: options(**given, stow_instances=1))
    wrote = read(clinic, tmp_path)
    job = clinic.job()
    export = clinic.ledger.export("default", job.id)
    assert export is not None and export.state is ExportState.SENT
    assert not imaging.instances(datastore)
    [running] = imaging.imports.values()
    assert running.request["inputS3Uri"] == (
        f"s3://{bucket}/hospital/results/default/{job.arrival_id}/{job.id}/dicom/"
    )
    clock = type(clinic.here.clock)
    monkeypatch.setattr(clock, "now", lambda self, now=clock.now: now(self) + LOOK)
    assert clinic.here.aside(tmp_path / "scratch")() == 1
    assert imaging.instances(datastore) == wrote
    assert clinic.type("job", "show", job.id, "--json").json["archive"]["stored"] == len(wrote)
    assert imaging.calls.count("StoreDICOM") == 1  # the study, whose files lie under many prefixes


def test_the_study_is_left_where_another_system_archives_it(
    make: Made, imaging: FakeHealthImaging, tmp_path: Path
) -> None:
    clinic, datastore = make(studies=False)
    wrote = read(clinic, tmp_path)
    assert len(imaging.instances(datastore)) == len(wrote) - SLICES == 2


def test_the_next_result_of_a_study_brings_only_itself(
    make: Made, imaging: FakeHealthImaging, tmp_path: Path
) -> None:
    clinic, _ = make()
    read(clinic, tmp_path)
    job = clinic.job()
    assert clinic.type("job", "retry", job.id, "--yes").code == 0
    worker = clinic.here.worker("w2", clinic.models.runner, Stop(grace_s=60))
    assert worker.step()
    exports = clinic.type("archive", "list", "--json").json["exports"]
    assert [export["stored"] for export in exports] == [2, 2 + SLICES]


def test_a_refused_result_is_sent_again_by_command(
    make: Made, imaging: FakeHealthImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic, datastore = make()
    with monkeypatch.context() as wrong:
        wrong.setattr(FakeHealthImaging, "_take", lambda self, datastore, content: ("1.2.3", "refused"))
        wrote = read(clinic, tmp_path)
    job = clinic.job()
    listed = clinic.type("archive", "list", "--state", "failed")
    assert job.id in listed.out and f"{len(wrote)} of {len(wrote)} instances refused" in listed.out
    assert clinic.type("archive", "retry").code == 2
    assert clinic.type("archive", "retry", "--all-failed").code == 0
    assert clinic.here.aside(tmp_path / "scratch")() == 1
    assert imaging.instances(datastore) == wrote
    assert "stored" in clinic.type("archive", "list").out
    assert not clinic.type("archive", "list", "--state", "failed", "--json").json["exports"]
    told = clinic.type("archive", "list", tenant="ward-3")
    assert told.code == 0 and job.id not in told.out


def test_without_an_archive_there_is_nothing_to_list(
    clinic_of: Callable[..., Clinic], imaging: FakeHealthImaging, tmp_path: Path
) -> None:
    clinic = clinic_of()
    read(clinic, tmp_path)
    assert not imaging.calls
    assert clinic.type("archive", "list", "--json").json == {"exports": [], "more": False}
    refused = clinic.type("archive", "retry", clinic.job().id)
    assert refused.code == 2 and "does not go into an archive" in refused.err
    assert clinic.type("job", "show", "--json").json["archive"] is None


def test_a_removed_tenants_image_sets_go_and_nobody_elses(
    make: Made, imaging: FakeHealthImaging, tmp_path: Path
) -> None:
    """Two tenants sent one study; another system keeps an instance in a series that came from here."""
    clinic, datastore = make()
    first, second = read(clinic, tmp_path / "a"), read(clinic, tmp_path / "b", "ward-3")
    assert imaging.instances(datastore) == sorted({*first, *second}) and len({*first, *second}) == 4 + SLICES
    listed = clinic.type("tenant", "delete", "default", "--remove", "--dry-run", "--json").json["has"]
    assert listed["image_sets"] == 2 and "another tenant sent the same" in listed["stay"][0]

    only = sorted(set(first) - set(second))
    [busy] = [id_ for (_, id_), kept in imaging.kept.items() if only[0] in kept.instances]
    imaging.locked.add(busy)
    broken = clinic.type("tenant", "delete", "default", "--remove", "--yes")
    assert broken.code == 5 and f"1 of 2 image sets are removed, not {busy}" in broken.err
    assert "once more" in broken.err and clinic.jobs(), "what tells whose they are is kept"
    imaging.locked.clear()
    ended = clinic.type("tenant", "delete", "default", "--remove", "--yes")
    assert ended.code == 0 and "removed: 1 image sets" in ended.err and "another tenant" in ended.err
    assert imaging.instances(datastore) == second and not clinic.jobs()

    [mixed] = [kept for kept in imaging.kept.values() if min(kept.instances) not in first][-1:]
    mixed.instances["1.2.3"] = next(iter(mixed.instances.values()))
    ended = clinic.type("tenant", "delete", "ward-3", "--remove", "--yes")
    assert ended.code == 0 and "1 image sets stay: others' instances" in ended.err, ended.err
    assert imaging.instances(datastore) == sorted(mixed.instances)


def test_what_may_be_on_its_way_into_the_archive_is_waited_for(
    make: Made, imaging: FakeHealthImaging, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic, datastore = make()
    with monkeypatch.context() as slow:
        slow.setattr(
            adapter.HealthImaging, "send", lambda self, parcel: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):  # the worker dies, and nobody knows how far it came
            read(clinic, tmp_path)
    refused = clinic.type("tenant", "delete", "default", "--remove", "--yes")
    assert refused.code == 5 and "1 results of the tenant may be on their way" in refused.err
    assert clinic.type("tenant", "delete", "default", "--remove", "--yes").code == 5
    export = clinic.ledger.export("default", clinic.job().id)
    assert export is not None and export.state is ExportState.FAILED, "nobody sends it any more"
    parcel = Parcel(tenant="default", job_id=export.job_id, prefix=export.prefix, token=export.token)
    assert clinic.here.archive is not None
    clinic.here.archive.send(parcel)  # what the worker had begun arrives late
    assert imaging.instances(datastore)
    clock = type(clinic.here.clock)
    monkeypatch.setattr(clock, "now", lambda self, now=clock.now: now(self) + archived.SENDING)
    assert clinic.type("tenant", "delete", "default", "--remove", "--yes").code == 0
    assert not imaging.instances(datastore)


def test_a_removal_that_does_not_know_the_archive_says_so(
    make: Made, clinic_of: Callable[..., Clinic], imaging: FakeHealthImaging, tmp_path: Path
) -> None:
    clinic, datastore = make()
    wrote = read(clinic, tmp_path)
    clinic.configure(SPLEEN)
    lost = clinic.type("tenant", "delete", "default", "--remove", "--yes")
    assert lost.code == 3 and "1 results of tenant default were sent" in lost.err
    assert clinic.type("tenant", "delete", "default", "--archive", "x", "--keep-archived").code == 2
    kept = clinic.type("tenant", "delete", "default", "--remove", "--keep-archived", "--yes")
    assert kept.code == 0 and "stays there" in kept.err and "image sets" not in kept.err + kept.out
    assert imaging.instances(datastore) == wrote


def test_a_phantom_is_read_and_neither_archived_nor_counted(
    make: Made, imaging: FakeHealthImaging, tmp_path: Path
) -> None:
    """What `bedside deploy verify` sends says by its UID that no patient is behind it."""
    clinic, datastore = make()
    measured = tmp_path / "measured.log"
    with clinic.configuration.open("a") as file:
        file.write(f'[metrics]\nsink = "emf"\nfile = "{measured}"\n')
    clinic.restart()
    study = sorted(nothing_bundle.write_study(tmp_path / "study", seed="archive").iterdir())
    for path in study:
        assign(path, StudyInstanceUID=phantom_study_uid("1"))
    clinic.here.blobs.tenant("default").put_file(f"input/{PREFIX}1.zip", zipped(study, tmp_path / "s.zip"))
    clinic.take()
    worker = clinic.here.worker("w1", clinic.models.runner, Stop(grace_s=60))
    while worker.step():
        pass
    job = clinic.job()
    assert job.state is JobState.SUCCEEDED and clinic.document(job)["phantom"] is True
    assert clinic.ledger.export("default", job.id) is None and not imaging.instances(datastore)
    assert list(read_results(clinic.here.blobs.tenant("default"), job.created_at - timedelta(days=1))) == []
    counted = measured.read_text().lower() if measured.exists() else ""
    assert "arrivals" not in counted and "succeeded" not in counted, counted
    assert "spleen (phantom)" in clinic.type("job", "list").out
    assert "phantom, sent by bedside deploy verify" in clinic.type("job", "show", job.id).out
    assert clinic.type("job", "list", "--json").json["jobs"][0]["phantom"] is True
    assert [text for text in clinic.said if "job.succeeded" in text and "phantom=yes" in text]
    read(clinic, tmp_path / "patient", "ward-3")
    counted = measured.read_text().lower()
    assert imaging.instances(datastore) and "arrivals" in counted and "succeeded" in counted
