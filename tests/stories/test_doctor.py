"""``bedside doctor`` as a user types it."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bedside.cli import checks, doctor
from bedside.cli.checks import Status
from bedside.cli.main import main
from bedside.config import DicomSettings, Settings
from clouds import Cloud
from dicom_sender import free_port
from nothing_bundle import write_bundle


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    main(["init", str(write_bundle(tmp_path / "bundle"))])
    return tmp_path


def test_a_machine_that_is_ready(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    looked_at = {line[6:].partition(":")[0] for line in lines if line.startswith(("ok ", "warn "))}
    wanted = {"Python", "memory", "torch", "decoders", "disk", "write access", "containers", "ledger"}
    assert looked_at >= wanted
    assert "pipeline nothing" in looked_at
    assert not (here / "bedside-data").exists()


def test_a_bucket_and_its_queue_are_asked_whether_they_answer(
    here: Path, capsys: pytest.CaptureFixture[str], cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = cloud.queue()
    monkeypatch.setenv("BEDSIDE_QUEUE_URL", queue)

    def said(bucket: str) -> tuple[int, dict[str, str], dict[str, str]]:
        monkeypatch.setenv("BEDSIDE_STORE_URL", f"s3://{bucket}")
        capsys.readouterr()
        code = main(["doctor", "--json"])
        findings = json.loads(capsys.readouterr().out)["findings"]
        store, asked = (finding for finding in findings if finding["what"] in {"store", "queue"})
        return code, store, asked

    bucket = cloud.bucket()
    code, store, asked = said(bucket)
    assert asked["detail"] == f"{queue.rpartition('/')[2]} holds 0 messages; takes in what arrives"
    assert (code, store["status"]) == (0, "ok")
    assert store["detail"] == f"s3://{bucket} answers at {cloud.url}"
    cloud.client("sqs").delete_queue(QueueUrl=queue)
    code, store, asked = said("bedside-not-made")
    assert (asked["status"], asked["mend"]) == ("fail", "bedside config show")
    assert "there is no such queue" in asked["detail"]
    assert (code, store["status"]) == (1, "fail")
    assert "s3://bedside-not-made: there is no such bucket" in store["detail"]
    assert store["mend"]


def test_each_failure_has_a_command_as_its_mend(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = here / "bedside.toml"
    file.write_text(file.read_text().replace('bundle = "bundle"', 'bundle = "gone"'))
    capsys.readouterr()
    assert main(["doctor", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"]
    failed = [finding for finding in found["findings"] if finding["status"] == "fail"]
    assert [finding["what"] for finding in failed] == ["pipeline nothing"]
    assert all(finding["mend"] for finding in found["findings"] if finding["status"] != "ok")


@pytest.mark.parametrize(("stage", "status"), [("", "warn"), ('map = "spleen.tar"', "fail")])
def test_no_container_engine_matters_where_a_map_is_to_run(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    stage: str,
    status: str,
) -> None:
    monkeypatch.setenv("BEDSIDE_WORKER_ENGINE", "docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{here}/no.sock")
    if stage:
        (here / "bedside.toml").write_text(f'[[pipeline]]\nname = "a"\n{stage}\n')
    capsys.readouterr()
    main(["doctor", "--json"])
    found = json.loads(capsys.readouterr().out)["findings"]
    (containers,) = [one for one in found if one["what"] == "containers"]
    assert containers["status"] == status
    assert "docker" in containers["detail"]


def test_a_configuration_that_cannot_be_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bedside.toml").write_text("[worker]\ncuont = 1\n")
    capsys.readouterr()
    assert main(["doctor"]) == 1
    assert "fail  configuration: bedside.toml:2: unknown key worker.cuont" in capsys.readouterr().out


@pytest.mark.parametrize(("available_gib", "status"), [(1, Status.FAIL), (3, Status.WARN), (16, Status.OK)])
def test_memory(available_gib: int, status: Status) -> None:
    assert doctor.memory(available_gib * doctor.GIB, 16 * doctor.GIB).status is status


def test_without_the_worker_extra_it_says_what_to_install(here: Path) -> None:
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'pydicom', 'gdcm'), None));"
        "from bedside.cli.main import main; sys.exit(main(['doctor', '--json']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    failed = {f["what"]: f for f in json.loads(done.stdout)["findings"] if f["status"] == "fail"}
    assert failed["decoders"]["mend"] == "pip install 'bedside[worker]'"


def test_a_command_without_the_worker_extra_ends_with_what_to_install(here: Path) -> None:
    program = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'pydicom', 'gdcm'), None));"
        "from bedside.cli.main import main; sys.exit(main(['run', 'bundle', 'bedside.toml']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "hint: pip install 'bedside[worker]'" in done.stderr


def test_a_receiver_that_nobody_started_and_a_certificate_that_does_not_fit(tmp_path: Path) -> None:
    port = free_port()
    settings = Settings(dicom=DicomSettings(port=port))
    idle = doctor.receiver(settings)
    assert (idle.status, idle.mend) == (Status.WARN, "bedside serve")
    assert idle.detail == f"nobody listens at 127.0.0.1:{port}, which is free"
    with socket.create_server(("127.0.0.1", port)) as other:  # somebody who speaks no DICOM
        threading.Thread(target=lambda: other.accept()[0].close(), daemon=True).start()
        strange = doctor.receiver(settings)
    assert (strange.status, strange.detail) == (
        Status.FAIL,
        f"BEDSIDE at 127.0.0.1:{port}: nobody answers",
    )
    files = {"tls_certificate": str(tmp_path / "c.pem"), "tls_key": str(tmp_path / "k.pem")}
    (tmp_path / "c.pem").write_text("no certificate")
    closed = doctor.receiver(Settings(dicom=DicomSettings(port=port, **files)))
    assert closed.status is Status.FAIL and closed.detail.startswith("dicom.tls_certificate: ")


def test_browser_code_that_is_missing_is_said_with_the_command_that_brings_it(tmp_path: Path) -> None:
    folder = tmp_path / "src" / "bedside" / "portal" / "vendor"
    missing = checks.browser_code(folder)
    assert missing.status is Status.WARN
    assert missing.detail.startswith("htmx, htmx-sse, NiiVue, OHIF missing: ")
    assert missing.mend.startswith("pip install ")
    tool = tmp_path / "tools" / "browser_assets.py"
    tool.parent.mkdir()
    tool.touch()
    assert checks.browser_code(folder).mend.endswith(".venv/bin/python tools/browser_assets.py")
    (folder / "ohif").mkdir(parents=True)
    (folder / "contents.json").write_text('{"versions": {"htmx": "2.0.11", "OHIF": "3.13.2"}}')
    assert checks.browser_code(folder).detail.startswith(
        "htmx, htmx-sse, NiiVue missing: "
    )  # named is not there
