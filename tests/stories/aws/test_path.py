"""A study's whole path on AWS: a packaged model in a registry, a signed URL, and results in the bucket.

Everything but AWS itself is real: the registry, the database, the machines' processes, and the container
that reads the study. The model is the example, and what it finds is held against the phantom's truth.
"""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest

from applied import Deployment
from aws_site import Site, zipped
from bedside.domain.export import ExportState
from bedside.domain.job import JobState
from bedside.phantom import make_phantom
from bedside.phantom.example import example_bundle
from bedside.phantom.study import write_study
from map_samples import package
from registries import run_registry
from services import PostgresServer
from serving import eventually
from wishes import DATASTORE

pytestmark = [
    pytest.mark.needs("initdb", "pg_ctl", "docker-registry", "terraform"),
    pytest.mark.timeout(600),
]

PIPELINE = """
[[pipeline]]
name = "spleen"
map = "{reference}"

[[rule]]
name = "every CT"
pipeline = "spleen"
when = 'Modality == "CT"'
"""


@pytest.fixture
def site(aws: Deployment, postgres: PostgresServer, tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "registry").mkdir()
    with run_registry(tmp_path / "registry") as registry:
        reference = f"{registry}/models/spleen:1.0.0"
        pushed = package(example_bundle(), "--push", reference, "--no-prove", "--compression", "zstd")
        assert pushed.returncode == 0, pushed.stderr
        made = Site(
            folder=tmp_path / "site",
            deployment=aws,
            ledger_url=postgres.database(),
            pipelines=PIPELINE.format(reference=reference),
            cache=tmp_path / "cache",
            lease_s=60.0,
        )
        yield made
        made.close()


def test_a_study_sent_by_url_comes_back_as_results(site: Site, aws: Deployment, tmp_path: Path) -> None:
    cloud, imaging = aws.cloud, aws.imaging
    before = set(imaging.instances(DATASTORE))
    phantom = make_phantom(7, shape=(40, 160, 160), spacing_mm=(6.0, 2.5, 2.5))
    slices = write_study(tmp_path / "study", phantom, seed=7)
    machine = site.start()
    sent = tmp_path / "Meitner^Lise.zip"
    sent.write_bytes(zipped(slices))
    (tmp_path / "token").write_text(aws.sign_in("lise@hospital.example", f"{site.tenant}:clinician"))
    (tmp_path / "other").write_text(aws.sign_in("otto@hospital.example", f"{site.tenant}-other:clinician"))
    words = ("tenant", "upload-link", site.tenant, "--for", str(sent), "--token-file")
    refused = site.command(*words, str(tmp_path / "other"))
    assert (refused.returncode, refused.stdout) == (7, ""), refused.stderr
    assert "otto" not in refused.stderr and site.tenant in refused.stderr
    link = site.command(*words, str(tmp_path / "token"))
    assert link.returncode == 0, link.stderr
    trusted = ssl.create_default_context(cafile=cloud.certificate)
    httpx.put(
        link.stdout.strip(), content=sent.read_bytes(), verify=trusted, trust_env=False
    ).raise_for_status()
    store = site.store()
    assert eventually(lambda: site.settled(1), within_s=150), site.told()

    (job,) = site.jobs()
    assert job.state is JobState.SUCCEEDED, job.failure
    assert site.actions(job).count("job.complete") == 1
    (entry,) = site.entries()
    assert list(store.list("input/")) == []
    assert f"inferred/{entry.id}/000001.zip" in {blob.key for blob in store.list("inferred/")}

    written = {blob.key.removeprefix(f"{job.prefix}/") for blob in store.list(f"{job.prefix}/")}
    assert {"dicom/seg.dcm", "dicom/sr.dcm", "result.json"} <= written
    assert any(name.endswith(".stl") for name in written)
    document = json.loads(store.get(f"{job.prefix}/result.json"))
    assert document["release"]["digest"] == job.stage.release
    (spleen,) = document["measurements"]
    assert spleen["volume_ml"] == pytest.approx(phantom.volume_ml("spleen"), rel=0.15)

    exported = lambda: site.ledger.export(site.tenant, job.id)  # noqa: E731
    assert eventually(lambda: (export := exported()) and export.state is ExportState.STORED, within_s=30), (
        site.told()
    )
    kept = set(imaging.instances(DATASTORE)) - before
    for name in ("seg", "sr"):
        store.fetch(f"{job.prefix}/dicom/{name}.dcm", tmp_path / f"{name}.dcm")
        assert pydicom.dcmread(tmp_path / f"{name}.dcm").SOPInstanceUID in kept
    assert len(kept) == len(slices) + 2, "the study went along"

    assert eventually(lambda: not any(site.cloud.messages(site.queue).values()), within_s=20)
    assert machine.stop() == 0
    objects = site.cloud.client("s3").list_objects_v2(Bucket=site.bucket)["Contents"]
    assert not any("Meitner" in item["Key"] for item in objects)
    assert "Meitner" not in "\n".join(machine.lines)
