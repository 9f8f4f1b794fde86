"""A study's result goes into AWS HealthImaging, from a folder and from a bucket, and is asked for by command.

HealthImaging is a server made of botocore's model of it here, see `healthimaging`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pydicom
import pytest

import nothing_bundle
from bedside.adapters.aws import healthimaging as adapter
from bedside.domain.export import ExportState
from bedside.worker.archive import LOOK
from bedside.worker.stop import Stop
from clinic import SPLEEN, Clinic, zipped
from clouds import Cloud
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


def read(clinic: Clinic, folder: Path) -> list[str]:
    """Let a study be read by the deployment's worker; return the SOP Instance UIDs of it and its result."""
    study = sorted(nothing_bundle.write_study(folder / "study", seed="archive").iterdir())
    clinic.here.blobs.tenant("default").put_file("input/study.zip", zipped(study, folder / "study.zip"))
    clinic.take()
    worker = clinic.here.worker("w1", clinic.models.runner, Stop(grace_s=60))
    while worker.step():
        pass
    blobs = clinic.here.blobs.tenant("default")
    found = []
    for number, blob in enumerate(blobs.list(f"{clinic.job().prefix}/dicom/")):
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
