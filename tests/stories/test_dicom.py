"""Studies sent by C-STORE, with dcmtk's tools as senders, as a hospital's would."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pydicom
import pytest

import nothing_bundle
from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.cli import doctor
from bedside.cli.checks import Status
from bedside.config import DicomSettings, Settings
from bedside.domain.job import JobState
from clouds import Cloud
from dicom_sender import associated, free_port, send, storescu
from serving import Serving, eventually

pytestmark = pytest.mark.needs("storescu", "echoscu")


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    found = free_port()
    monkeypatch.setenv("BEDSIDE_DICOM_PORT", str(found))
    monkeypatch.setenv("BEDSIDE_DICOM_MIN_FREE_BYTES", "0")
    return found


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    bundle = nothing_bundle.write_bundle(tmp_path / "bundle")
    found = Serving(tmp_path / "deployment", f'bundle = "{bundle}"')
    yield found
    found.close()


def judged(port: int, **files: str) -> tuple[Status, str]:
    """Return what `bedside doctor` says of the receiver."""
    finding = doctor.receiver(Settings(dicom=DicomSettings(port=port, **files)))
    return finding.status, finding.detail


def test_a_series_sent_in_two_associations_is_one_study_and_read(
    serving: Serving, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = free_port()
    monkeypatch.setenv("BEDSIDE_INTAKE_QUIET_S", "3")
    paths = sorted(nothing_bundle.write_study(tmp_path / "study").iterdir())
    serving.start("--health", f"127.0.0.1:{health}")
    assert eventually(lambda: serving.said("dicom.listening"), within_s=30)
    echoed = subprocess.run(["echoscu", "-aec", "BEDSIDE", "127.0.0.1", str(port)], timeout=30, check=False)
    assert echoed.returncode == 0
    refused = storescu(port, paths[0], called="NOBODY")
    assert refused.returncode != 0 and "Called AE Title Not Recognized" in refused.stderr
    for part in (paths[:2], paths[2:]):
        sent = storescu(port, *part)
        assert sent.returncode == 0, sent.stderr
    assert serving.jobs() == []  # nobody knows yet whether more will come
    assert eventually(lambda: httpx.get(f"http://127.0.0.1:{health}/health").status_code == 200, within_s=30)
    assert httpx.get(f"http://127.0.0.1:{health}/health").json()["dicom"] == "listening"
    assert judged(port) == (Status.OK, f"BEDSIDE at 127.0.0.1:{port} answers")
    assert eventually(lambda: serving.settled(1), within_s=120), "\n".join(serving.lines)

    (job,) = serving.jobs()
    assert job.state is JobState.SUCCEEDED
    (found,) = (serving.root / "default").glob("results/*/*/dicom/seg.dcm")
    assert pydicom.dcmread(found).StudyInstanceUID == pydicom.dcmread(paths[0]).StudyInstanceUID
    assert serving.found("inferred/*/*.dcm") == len(paths)
    assert serving.stop() == 0
    assert serving.leftover() == []
    header = pydicom.dcmread(paths[0])
    secrets = [
        str(header.PatientName),
        str(header.PatientID),
        *(str(pydicom.dcmread(p).SOPInstanceUID) for p in paths),
    ]
    assert not [line for line in serving.lines for word in secrets if word in line]


def test_on_sigterm_what_is_under_way_is_finished_and_nobody_new_comes(
    serving: Serving, port: int, tmp_path: Path
) -> None:
    paths = sorted(nothing_bundle.write_study(tmp_path / "study").iterdir())
    serving.start("--workers", "0")
    assert eventually(lambda: serving.said("dicom.listening"), within_s=30)
    assert serving.process is not None
    with associated(port, paths) as opened:
        assert send(opened, paths[0]) == [0]
        serving.process.terminate()
        assert eventually(lambda: _closed(port), within_s=10)
        assert send(opened, *paths[1:]) == [0] * (len(paths) - 1)
        assert serving.process.poll() is None
    assert serving.process.wait(15) == 0  # less than its grace
    kept = serving.found("input/*/*.dcm") + serving.found("arrivals/files/*/*.dcm")
    assert kept >= len(paths)


def _closed(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_killed_receiver_keeps_what_it_acknowledged_and_the_sender_goes_on(
    serving: Serving, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEDSIDE_INTAKE_QUIET_S", "60")
    paths = sorted(nothing_bundle.write_study(tmp_path / "study").iterdir())
    serving.start("--workers", "0")
    assert eventually(lambda: serving.said("dicom.listening"), within_s=30)
    with associated(port, paths) as opened:
        assert send(opened, *paths[:3]) == [0, 0, 0]
        assert serving.kill("supervisor")
        assert send(opened, paths[3]) == [-1]
    assert serving.found("input/*/*.dcm") == 3
    since = len(serving.lines)
    serving.start("--workers", "0")
    assert eventually(lambda: serving.said("dicom.listening", since=since), within_s=30)
    assert storescu(port, *paths).returncode == 0
    assert serving.found("input/*/*.dcm") == len(paths)
    assert serving.stop() == 0


def test_a_machine_without_workers_takes_into_a_bucket_what_its_queue_then_tells_of(
    cloud: Cloud, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the control machine does; and a sender hears when the bucket is gone."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    bucket = cloud.bucket()
    monkeypatch.setenv("BEDSIDE_STORE_URL", f"s3://{bucket}")
    monkeypatch.setenv("BEDSIDE_QUEUE_URL", cloud.queue(announces=bucket))
    monkeypatch.setenv("BEDSIDE_INTAKE_QUIET_S", "2")
    serving = Serving(tmp_path / "deployment", 'command = ["true"]')
    paths = sorted(nothing_bundle.write_study(tmp_path / "study").iterdir())
    try:
        serving.start("--workers", "0")
        assert eventually(lambda: serving.said("dicom.listening"), within_s=30)
        for part in (paths[:2], paths):
            sent = storescu(port, *part)
            assert sent.returncode == 0, sent.stderr
        store = S3BlobStore(Bucket.of(f"s3://{bucket}"), "default")
        keys = [blob.key for blob in store.list("input/")]
        assert len(keys) == len(paths) and len({key.split("/")[1] for key in keys}) == 1
        assert eventually(lambda: serving.said("entry.taken"), within_s=30), "\n".join(serving.lines)
        assert [job.state for job in serving.jobs()] == [JobState.QUEUED]

        client = cloud.client("s3")
        for found in client.list_objects_v2(Bucket=bucket)["Contents"]:
            client.delete_object(Bucket=bucket, Key=found["Key"])
        client.delete_bucket(Bucket=bucket)
        began = time.monotonic()
        with associated(port, paths) as opened:
            assert send(opened, paths[0]) == [0xA700]
        assert time.monotonic() - began < 20
        assert serving.said("dicom.not_stored")
        assert serving.stop() == 0
    finally:
        serving.close()


@pytest.mark.needs("openssl")
def test_tls_with_a_certificate_that_is_renewed(
    serving: Serving, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = _certificate(tmp_path, "first"), _certificate(tmp_path, "second")
    used = (tmp_path / "key.pem", tmp_path / "certificate.pem")
    monkeypatch.setenv("BEDSIDE_DICOM_TLS_KEY", str(used[0]))
    monkeypatch.setenv("BEDSIDE_DICOM_TLS_CERTIFICATE", str(used[1]))
    _install(first, used)
    paths = sorted(nothing_bundle.write_study(tmp_path / "study").iterdir())
    serving.start("--workers", "0")
    assert eventually(lambda: serving.said("dicom.listening"), within_s=30)
    with socket.create_connection(("127.0.0.1", port)):  # silent, and nobody waits for its handshake
        assert storescu(port, "+tla", "+cf", first[1], paths[0]).returncode == 0
    assert storescu(port, paths[1]).returncode != 0  # in the clear
    files = {"tls_key": str(used[0]), "tls_certificate": str(used[1])}
    assert judged(port, **files) == (Status.OK, f"BEDSIDE at 127.0.0.1:{port} with TLS answers")
    used[0].write_bytes(second[0].read_bytes())  # the key is there first, and fits no certificate
    assert storescu(port, "+tla", "+cf", first[1], paths[1]).returncode == 0
    used[1].write_bytes(second[1].read_bytes())
    assert storescu(port, "+tla", "+cf", second[1], *paths[2:]).returncode == 0
    assert serving.said("dicom.certificate_renewed")
    assert storescu(port, "+tla", "+cf", first[1], paths[0]).returncode != 0  # of another machine
    assert serving.stop() == 0


@pytest.mark.needs("openssl")
def test_senders_without_a_certificate_are_refused_where_one_is_asked_for(
    serving: Serving, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs, stranger = (_certificate(tmp_path, name) for name in ("ours", "theirs", "stranger"))
    monkeypatch.setenv("BEDSIDE_DICOM_TLS_KEY", str(ours[0]))
    monkeypatch.setenv("BEDSIDE_DICOM_TLS_CERTIFICATE", str(ours[1]))
    monkeypatch.setenv("BEDSIDE_DICOM_TLS_CLIENT_CA", str(theirs[1]))
    paths = sorted(nothing_bundle.write_study(tmp_path / "study").iterdir())
    serving.start("--workers", "0")
    assert eventually(lambda: serving.said("dicom.listening"), within_s=30)
    known = storescu(port, "+tls", *theirs, "+cf", ours[1], *paths)
    assert known.returncode == 0, known.stderr
    assert storescu(port, "+tls", *stranger, "+cf", ours[1], *paths).returncode != 0
    assert storescu(port, "+tla", "+cf", ours[1], *paths).returncode != 0
    assert eventually(lambda: serving.said("dicom.refused"), within_s=10)
    assert serving.stop() == 0


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key, certificate = folder / f"{name}.key", folder / f"{name}.pem"
    asked = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 2 -subj /CN={name}"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = ["openssl", *asked.split(), *names, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


def _install(pair: tuple[Path, Path], places: tuple[Path, Path]) -> None:
    for source, target in zip(pair, places, strict=True):
        target.write_bytes(source.read_bytes())
