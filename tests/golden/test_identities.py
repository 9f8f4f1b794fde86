"""Digests, ids, UIDs and the first configuration are what they were: see README.md beside this."""

import json
import os
import shutil
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest

from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.cli.main import main
from bedside.config import load
from bedside.dicom.create import SeriesSpec, write_series
from bedside.dicom.results import write_results
from bedside.dicom.scan import scan
from bedside.dicom.volume import read_volume
from bedside.domain.arrival import Arrival, ArrivalKind, StoredFile, arrival_id, entry_id
from bedside.domain.codes import label_for
from bedside.domain.pipeline import Pipeline
from bedside.domain.request import RunRequest
from bedside.domain.volume import ModelOutput, Segmentation
from bedside.worker.plans import pipelines_of
from bedside.worker.releases import Releases
from bedside.worker.rules import new_job

HERE = Path(__file__).parent
T0 = datetime(2026, 3, 1, 8, 30, 15, tzinfo=UTC)

#: Pipelines that differ in what must and what must not change an identity.
PIPELINES = """
[[pipeline]]
name = "organs"
bundle = "bundle"

[[pipeline]]
name = "organs elsewhere"
bundle = "bundle"
select = "SliceThickness <= 5"
outputs = ["seg"]
precision = "bf16"
pool = "gpu"
timeout_s = 60

[pipeline.labels.2]
name = "kidney"
colour = [1, 2, 3]

[[pipeline]]
name = "two"

[[pipeline.stage]]
name = "prepare"
command = ["convert", "{input}", "{output}"]

[[pipeline.stage]]
bundle = "bundle"
accept = {modality = ["MR"]}
"""


def compare(name: str, found: str) -> None:
    """Compare with the stored answer, or store it where that is asked for."""
    stored = HERE / name
    if os.environ.get("BEDSIDE_TEST_GOLDEN") == "write":
        stored.write_text(found, encoding="utf-8")
    assert found == stored.read_text(encoding="utf-8"), "see README.md beside the stored answer"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(HERE / "bundle", tmp_path / "bundle")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def releases(folder: Path) -> Releases:
    return Releases(folder / "releases", ledger=MemoryLedger(), clock=ManualClock(T0))


def test_what_init_writes(folder: Path) -> None:
    assert main(["init", "bundle"]) == 0
    compare("bedside.toml", (folder / "bedside.toml").read_text())


def test_a_release_is_the_same_from_a_folder_and_an_archive(folder: Path, releases: Releases) -> None:
    registered = releases.register(folder / "bundle")
    with zipfile.ZipFile(folder / "packed.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted((folder / "bundle").rglob("*"), reverse=True):
            packed.write(path, f"golden/{path.relative_to(folder / 'bundle')}")
    (folder / "bundle" / "docs" / "README.md").write_text("Other words.\n")
    assert releases.register(folder / "packed.zip") == releases.register(folder / "bundle") == registered
    assert registered.digest == json.loads((HERE / "identities.json").read_text())["release"]["digest"]


def test_identities(folder: Path, releases: Releases) -> None:
    (folder / "bedside.toml").write_text(PIPELINES)
    settings = load(None, environment={}, flags={}).settings
    pipelines = pipelines_of(settings.pipeline, releases.register)
    release = releases.register(folder / "bundle")
    arrival = sample_arrival()
    found = {
        "release": {"digest": release.digest, "name": release.name, "version": release.version},
        "entry": entry_id("default", "input/study.zip", "0" * 20),
        "arrival": {"id": arrival.id, "manifest": arrival.manifest_key, "file": arrival.files[0].key},
        "pipelines": {
            name: identities(pipeline, arrival, folder / name) for name, pipeline in pipelines.items()
        },
    }
    compare("identities.json", json.dumps(found, indent=2) + "\n")


def sample_arrival() -> Arrival:
    files = tuple(
        StoredFile(sop_instance_uid=f"1.2.840.{n}", sha256=f"{n:064x}", size_bytes=1000 + n) for n in (3, 5)
    )
    return Arrival(
        tenant="default",
        id=arrival_id(files),
        kind=ArrivalKind.DICOM,
        subject="1.2.840.1",
        version=1,
        files=files,
        received_at=T0,
    )


def identities(pipeline: Pipeline, arrival: Arrival, folder: Path) -> dict[str, object]:
    """Return all that names one job of a pipeline and what it writes."""
    job = new_job(arrival, pipeline, rule="any", priority=3, now=T0)
    elsewhere = new_job(replace(arrival, tenant="ward-3"), pipeline, rule="", priority=0, now=T0)
    return {
        "version": pipeline.version,
        "job": job.id,
        "job of another tenant": elsewhere.id,
        "result": job.prefix,
        "uids": derived_uids(job.identity, pipeline.stages[-1].release, arrival, folder),
    }


def derived_uids(identity: str, release: str, arrival: Arrival, folder: Path) -> dict[str, str]:
    """Return the UIDs of what a job writes for a small series."""
    affine = np.array([[0, 0, 0.8, 10], [0, 0.8, 0, 20], [2.5, 0, 0, 30], [0, 0, 0, 1]])
    array = np.zeros((4, 8, 8), dtype=np.int16)
    (series,) = scan(write_series(folder / "study", array, affine, spec=SeriesSpec(seed="golden"))).series
    volume = read_volume(series)
    mask = np.zeros(volume.array.shape, dtype=np.uint8)
    mask[1:3, 2:6, 2:6] = 1
    labels = (label_for("spleen", 1), label_for("left kidney", 2))
    request = RunRequest(
        job_identity=identity,
        arrival_id=arrival.id,
        release=release,
        release_name="golden_organs",
        release_version="2.1.0",
        content_at=arrival.received_at,
        outputs=("seg", "sr"),
    )
    output = ModelOutput(segmentation=Segmentation(array=mask, affine=volume.affine, labels=labels))
    write_results(folder / "result", request=request, series=series, volume=volume, output=output)
    made = {name: pydicom.dcmread(folder / "result" / "dicom" / f"{name}.dcm") for name in ("seg", "sr")}
    return {
        "study": made["seg"].StudyInstanceUID,
        "seg series": made["seg"].SeriesInstanceUID,
        "seg": made["seg"].SOPInstanceUID,
        "seg dimension organization": made["seg"].DimensionOrganizationSequence[0].DimensionOrganizationUID,
        "sr series": made["sr"].SeriesInstanceUID,
        "sr": made["sr"].SOPInstanceUID,
    }
