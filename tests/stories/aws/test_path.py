"""A study's whole path on AWS: a packaged model in a registry, a signed URL, and results in the bucket.

Everything but AWS itself is real: the registry, the database, the machines' processes, and the container
that reads the study. Bucket and queues are those of the package's Terraform modules, which the real provider
applied to an emulator that is spoken to over TLS, since the bucket takes nothing else. The model is the
example, and what it finds is held against the phantom's truth.
"""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest

import moto_gaps
from aws_site import Site, zipped
from bedside.domain.export import ExportState
from bedside.domain.job import JobState
from bedside.phantom import make_phantom
from bedside.phantom.example import example_bundle
from bedside.phantom.study import write_study
from clouds import REGION
from healthimaging import ROLE, FakeHealthImaging
from map_samples import package
from registries import run_registry
from services import PostgresServer
from serving import eventually
from terraform import Terraform, copy_of_modules, environment
from tls_cloud import TlsCloud, run_moto_over_tls

pytestmark = [
    pytest.mark.needs("initdb", "pg_ctl", "docker-registry", "terraform"),
    pytest.mark.timeout(300),
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
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TlsCloud]:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    moto_gaps.complete(monkeypatch)  # without an answer to one question the provider asks for minutes
    (tmp_path / "emulator").mkdir()
    with run_moto_over_tls(tmp_path / "emulator") as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def modules(cloud: TlsCloud, tmp_path: Path) -> Terraform:
    """The modules of bucket and queues, as an engineer would use them alone; not applied yet."""
    at = copy_of_modules(tmp_path / "modules") / "modules"
    folder = tmp_path / "terraform"
    folder.mkdir()
    document = {
        "provider": {"aws": {"region": REGION, "s3_use_path_style": True, "skip_metadata_api_check": True}},
        "module": {
            "storage": {"source": str(at / "storage"), "name": "whole-path"},
            "events": {
                "source": str(at / "events"),
                "name": "whole-path",
                "bucket": "${module.storage.bucket}",
                "bucket_arn": "${module.storage.bucket_arn}",
            },
        },
        "output": {
            "bucket": {"value": "${module.storage.bucket}"},
            "queue": {"value": "${module.events.queue_url}"},
        },
    }
    (folder / "main.tf.json").write_text(json.dumps(document))
    terraform = Terraform(folder=folder, environment=environment(folder, cloud.environment))
    terraform.run("init", "-input=false")
    return terraform


@pytest.fixture
def site(
    cloud: TlsCloud, modules: Terraform, postgres: PostgresServer, imaging: FakeHealthImaging, tmp_path: Path
) -> Iterator[Site]:
    (tmp_path / "registry").mkdir()
    applying = modules.begin("apply", "-input=false", "-auto-approve")
    try:
        with run_registry(tmp_path / "registry") as registry:
            reference = f"{registry}/models/spleen:1.0.0"
            pushed = package(example_bundle(), "--push", reference, "--no-prove", "--compression", "zstd")
            assert pushed.returncode == 0, pushed.stderr
            applying.end()
            made = Site(
                folder=tmp_path / "site",
                cloud=cloud,
                ledger_url=postgres.database(),
                pipelines=PIPELINE.format(reference=reference),
                archive={"BEDSIDE_ARCHIVE_DATASTORE": imaging.add_datastore(), "BEDSIDE_ARCHIVE_ROLE": ROLE},
                cache=tmp_path / "cache",
                lease_s=30.0,
                **modules.outputs(),
            )
            yield made
            made.close()
    finally:
        applying.stop()


def test_a_study_sent_by_url_comes_back_as_results(
    site: Site, cloud: TlsCloud, imaging: FakeHealthImaging, tmp_path: Path
) -> None:
    phantom = make_phantom(7, shape=(40, 160, 160), spacing_mm=(6.0, 2.5, 2.5))
    slices = write_study(tmp_path / "study", phantom, seed=7)
    machine = site.start()
    sent = tmp_path / "Meitner^Lise.zip"
    sent.write_bytes(zipped(slices))
    link = site.command("tenant", "upload-link", "default", "--for", str(sent))
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

    exported = lambda: site.ledger.export("default", job.id)  # noqa: E731
    assert eventually(lambda: (export := exported()) and export.state is ExportState.STORED, within_s=30), (
        site.told()
    )
    kept = imaging.instances(site.archive["BEDSIDE_ARCHIVE_DATASTORE"])
    for name in ("seg", "sr"):
        store.fetch(f"{job.prefix}/dicom/{name}.dcm", tmp_path / f"{name}.dcm")
        assert pydicom.dcmread(tmp_path / f"{name}.dcm").SOPInstanceUID in kept
    assert len(kept) == len(slices) + 2, "the study went along"

    assert eventually(lambda: not any(site.cloud.messages(site.queue).values()), within_s=20)
    assert machine.stop() == 0
    objects = site.cloud.client("s3").list_objects_v2(Bucket=site.bucket)["Contents"]
    assert not any("Meitner" in item["Key"] for item in objects)
    assert "Meitner" not in "\n".join(machine.lines)
