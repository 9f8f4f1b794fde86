"""The archive installs on a machine without an index, and a worker's modules import there without torch."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from bedside.deploy import software
from bedside.errors import Unavailable
from bedside.portal.shell import vendor

CONFIGURATION = b"[system]\ntenants = ['default']\n"


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the machines' Python is 3.11")
def test_a_machine_installs_it_without_an_index(tmp_path: Path) -> None:
    made = software.build_software(tmp_path / "made", CONFIGURATION, b"an authority")
    again = software.build_software(tmp_path / "again", CONFIGURATION, b"an authority")
    assert made.key == again.key == f"software/{made.path.stem}.tar"

    with tarfile.open(made.path) as archive:
        archive.extractall(tmp_path / "machine", filter="data")
    assert (tmp_path / "machine" / "bedside.toml").read_bytes() == CONFIGURATION
    assert (tmp_path / "machine" / "ledger-ca.pem").read_bytes() == b"an authority"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    wheels = sorted((tmp_path / "machine" / "wheels").glob("*.whl"))
    assert not [wheel.name for wheel in wheels if wheel.name.startswith(("torch-", "monai-"))]
    (own,) = (wheel for wheel in wheels if wheel.name.startswith("bedside-"))
    with zipfile.ZipFile(own) as inside:
        browser_code = [name for name in inside.namelist() if name.endswith("/vendor/htmx.min.js")]
        assert bool(browser_code) == ("htmx" in vendor.versions())
    install = [python, "-m", "pip", "install", "--quiet", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*install, *wheels], check=True)
    modules = "bedside.worker.loop, bedside.worker.intake, bedside.worker.compare, bedside.worker.upkeep"
    adapters = "bedside.adapters.containers, bedside.adapters.aws.blobs, bedside.adapters.sql, psycopg"
    subprocess.run([python, "-I", "-c", f"import bedside.portal.server, {modules}, {adapters}"], check=True)
    bundle = "from bedside.config.authorities import rds_regions; assert 'eu-west-1' in rds_regions()"
    subprocess.run([python, "-I", "-c", bundle], check=True)
    said = subprocess.run(
        [python.with_name("bedside"), "worker", "--help"], check=True, capture_output=True, text=True
    )
    assert "Work on jobs" in said.stdout


def test_an_index_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(Unavailable, match="pip cannot bring"):
        software.build_software(tmp_path, CONFIGURATION)
    assert list(tmp_path.iterdir()) == []
