"""What `bedside package` checks before its first slow step, and what it says meanwhile."""

import io
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bedside.cli import proved
from bedside.cli.main import main
from bedside.cli.moving import Moving
from bedside.cli.output import ProgressLine
from bedside.cli.publishing import _zstd_in_tar
from bedside.oci.descriptor import LAYER, Descriptor
from bedside.oci.registry.progress import Progress, Step
from bedside.package.targets import parse_target
from map_samples import bundle_in


def test_a_long_upload_is_a_few_lines_where_nobody_watches() -> None:
    stream = io.StringIO()
    moving = Moving(ProgressLine(stream).update)
    layers = [Descriptor(media_type=LAYER, digest=f"sha256:{n:064x}", size_bytes=100_000_000) for n in (1, 2)]
    for megabytes in range(100):
        for layer in layers:
            moving.tell(Progress(descriptor=layer, step=Step.MOVING, done_bytes=megabytes * 1_000_000))
        if megabytes == 50:
            assert stream.getvalue() == "", "while layers are made, those are said"
            moving.begin()
    assert stream.getvalue().splitlines() == ["publishing", "publishing 200 MB"]


def test_a_key_that_is_not_there_is_said_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = bundle_in(tmp_path / "bundle")
    code = main(["package", str(bundle), "--sign-key", str(tmp_path / "gone.pem"), "--cache", str(tmp_path)])
    said = capsys.readouterr().err
    assert code == 3
    assert said.startswith("error: key gone.pem: cannot be read")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_the_light_install_says_what_the_proof_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proved, "find_spec", lambda name: None if name == "torch" else find_spec(name))
    code = main(["package", str(bundle_in(tmp_path / "bundle")), "--cache", str(tmp_path)])
    said = capsys.readouterr().err
    assert code == 3
    assert "the proof runs the model here and needs torch, which is not installed" in said
    assert "or --no-prove" in said


def test_a_tar_that_an_old_docker_does_not_load_is_named(tmp_path: Path) -> None:
    targets = [parse_target(str(tmp_path / "a.tar")), parse_target(str(tmp_path / "layout"))]
    (said,) = _zstd_in_tar(targets)
    assert said.startswith(str(tmp_path / "a.tar"))


def test_packaging_imports_nothing_of_a_deployment() -> None:
    """It would take as long as building and pushing a changed model."""
    program = (
        "import sys, bedside.cli.packaging\n"
        "sys.exit(' '.join({'pydantic', 'sqlalchemy', 'boto3', 'numpy', 'torch'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
