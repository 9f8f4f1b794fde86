"""``bedside demo`` with a bundle and a study of one's own; the example itself runs in the tutorial."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from bedside.cli.main import main
from dicom_sender import free_port
from nothing_bundle import write_bundle, write_study


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_bundle(tmp_path / "bundle")
    write_study(tmp_path / "study")
    return tmp_path


def test_ones_own_bundle_and_study_have_no_truth(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--bundle", "bundle", "--study", "study", "--json"]) == 0
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    assert job["state"] == "succeeded"
    assert job["compared"] == []
    assert (Path(job["place"]) / "result.json").is_file()
    assert Path(job["place"]).is_relative_to(here / "bedside-demo")
    assert not _serving(here)


def test_a_study_that_nothing_reads_ends_with_the_reason(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_study(here / "mr", behaviour="rejects")
    assert main(["demo", "--bundle", "bundle", "--study", "mr"]) == 4
    written = capsys.readouterr().err
    assert "nothing ran: no rule started a job" in written
    assert "bedside job why " in written


def test_a_folder_of_somebody_else_is_left_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--dir", "study"]) == 2
    assert "holds something else than a demo" in capsys.readouterr().err
    assert main(["demo", "--study", "absent"]) == 2


def test_a_system_that_cannot_start_is_told_at_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.environ["BEDSIDE_LEDGER_URL"] = "nonsense://x"
    try:
        assert main(["demo", "--bundle", "bundle", "--study", "study"]) != 0
    finally:
        del os.environ["BEDSIDE_LEDGER_URL"]
    assert "error: " in capsys.readouterr().err
    assert not _serving(here)


def test_serve_leaves_it_running_until_ctrl_c(here: Path) -> None:
    command = [sys.executable, "-m", "bedside", "demo", "--bundle", "bundle", "--study", "study", "--serve"]
    listen = f"127.0.0.1:{free_port()}"
    running = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"BEDSIDE_PORTAL_LISTEN": listen},
    )
    assert running.stderr is not None
    said = []
    for line in running.stderr:
        said.append(line.strip())
        if "Ctrl-C stops it" in line:
            break
    assert running.poll() is None
    (link,) = [line for line in said if "/first/" in line]
    with urllib.request.urlopen(link, timeout=10) as page:  # a newcomer's way in
        assert "Welcome to bedside" in page.read().decode()
    assert _serving(here)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert not _serving(here)


def _serving(folder: Path) -> list[int]:
    """Return the processes that hold a lock below a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            targets = [str(link.readlink()) for link in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(target.startswith(str(folder)) and target.endswith(".lock") for target in targets):
            found.append(int(process.name))
    return found
