"""A study's path where a bucket is the store: the same words, the same bytes, and no file left behind."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

import nothing_bundle
from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.domain.job import Job, JobState
from bedside.domain.result import RESULT_FILE
from clinic import Clinic, zipped
from clouds import Cloud
from serving import Serving, eventually


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    return cloud.bucket()


def objects(cloud: Cloud, bucket: str) -> list[str]:
    return [o["Key"] for o in cloud.client("s3").list_objects_v2(Bucket=bucket).get("Contents", ())]


def upload(store: S3BlobStore, name: str, archive: Path) -> None:
    """Send a ZIP as a browser does: to a signed URL, without credentials."""
    url = store.presign_put(f"input/{name}", 60, size_bytes=archive.stat().st_size)
    httpx.put(url, content=archive.read_bytes()).raise_for_status()


def written(clinic: Clinic, job: Job) -> dict[str, bytes]:
    """Return the files of a job's result by path, without ``result.json`` and the moment of receiving."""
    blobs = clinic.here.blobs.tenant(job.tenant)
    found = {b.key.removeprefix(f"{job.prefix}/"): blobs.get(b.key) for b in blobs.list(f"{job.prefix}/")}
    assert found.pop(RESULT_FILE)
    received_at = clinic.ledger.arrival(job.tenant, job.arrival_id).received_at
    moment = [received_at.strftime(form).encode() for form in ("%Y%m%d", "%H%M%S")]
    assert all(part in found["dicom/seg.dcm"] for part in moment)
    return {
        path: data.replace(moment[0], b"date").replace(moment[1], b"time") for path, data in found.items()
    }


def test_a_study_is_read_from_a_bucket_as_from_a_folder(
    clinic_of: Callable[..., Clinic], cloud: Cloud, bucket: str, tmp_path: Path
) -> None:
    study = sorted(nothing_bundle.write_study(tmp_path / "study", seed="bucket").iterdir())
    archive = zipped(study, tmp_path / "Meitner^Lise.zip")
    here = clinic_of()
    (here.inbox("ward-3") / "same.zip").write_bytes(archive.read_bytes())
    here.read_all("ward-3")

    clinic = clinic_of(store_url=f"s3://{bucket}/hospital")
    store = S3BlobStore(Bucket.of(clinic.store_url), "ward-3")
    upload(store, "Meitner^Lise.zip", archive)
    clinic.take()
    assert clinic.jobs() == []  # it is the other tenant's
    clinic.read_all("ward-3")

    job = clinic.job("ward-3")
    assert job.state is JobState.SUCCEEDED
    assert written(clinic, job) == written(here, here.job("ward-3"))
    areas: dict[str, set[str]] = {}
    for key in objects(cloud, bucket):
        hospital, area, tenant, _ = key.split("/", 3)
        areas.setdefault(area, set()).add(f"{hospital}/{tenant}")
    assert areas == {area: {"hospital/ward-3"} for area in ("arrivals", "inferred", "results")}
    assert not any("Meitner" in key for key in objects(cloud, bucket))
    assert sum(key.endswith(".zip") for key in objects(cloud, bucket)) == 1  # moved, not copied
    assert not (clinic.root / "ward-3").exists()
    assert {p.name for p in (clinic.root / ".work").rglob("*") if p.is_file()} == {"intake.lock"}

    shown = clinic.type("job", "show", "--json", tenant="ward-3")
    assert (
        shown.json["place"] == f"s3://{bucket}/hospital/results/ward-3/{job.prefix.removeprefix('results/')}"
    )
    assert shown.json["document"]["job"]["id"] == job.id


def test_what_cannot_be_read_is_rejected_in_the_bucket(
    clinic_of: Callable[..., Clinic], cloud: Cloud, bucket: str, tmp_path: Path
) -> None:
    clinic = clinic_of(store_url=f"s3://{bucket}")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("letter.txt", "no study")
    typed = clinic.type("submit", tmp_path / "x.zip")
    assert typed.code == 0
    assert any(key.startswith("input/default/") for key in objects(cloud, bucket))
    clinic.read_all()
    (entry,) = clinic.entries()
    assert sorted(objects(cloud, bucket)) == [
        f"rejected/default/{entry.id}/000001.zip",
        f"rejected/default/{entry.id}/reason.json",
    ]
    store = S3BlobStore(Bucket(name=bucket))
    assert "no DICOM instance" in json.dumps(json.loads(store.get(f"rejected/{entry.id}/reason.json")))


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: str) -> Iterator[Serving]:
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nls "$1" > "$2/names.txt"\nenv > "$2/environment.txt"\n')
    program.chmod(0o755)
    monkeypatch.setenv("BEDSIDE_STORE_URL", f"s3://{bucket}")
    serving = Serving(tmp_path / "deployment", f'command = ["{program}", "{{input}}", "{{output}}"]')
    serving.start()
    yield serving
    serving.close()


def test_serve_and_its_workers_share_a_bucket(
    serving: Serving, cloud: Cloud, bucket: str, tmp_path: Path
) -> None:
    """Separate processes, as in production: one takes what was uploaded, another works on it."""
    study = sorted(nothing_bundle.write_study(tmp_path / "study", seed="served").iterdir())
    store = S3BlobStore(Bucket(name=bucket))
    upload(store, "study.zip", zipped(study, tmp_path / "study.zip"))
    assert eventually(lambda: serving.settled(1), within_s=60), "\n".join(serving.lines)
    (job,) = serving.jobs()
    assert job.state is JobState.SUCCEEDED
    assert len(store.get(f"{job.prefix}/names.txt").split()) == len(study)
    assert b"AWS_" not in store.get(f"{job.prefix}/environment.txt")
    assert json.loads(store.get(f"{job.prefix}/{RESULT_FILE}"))["job"]["id"] == job.id
    assert eventually(lambda: list(store.list("input/")) == [], within_s=10)
    assert serving.stop() == 0
