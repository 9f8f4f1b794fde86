"""Bundles kept by digest."""

import zipfile
from pathlib import Path

import pytest

import nothing_bundle
from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.errors import ConfigError, NotFound
from bedside.worker.releases import Releases


def releases(folder: Path) -> Releases:
    return Releases(folder / "releases", ledger=MemoryLedger(), clock=ManualClock())


def test_a_bundle_is_registered_once_whatever_form_it_comes_in(tmp_path: Path) -> None:
    bundle = nothing_bundle.write_bundle(tmp_path / "bundle")
    archive = tmp_path / "bundle.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in bundle.rglob("*"):
            packed.write(path, f"bundle/{path.relative_to(bundle)}")
    kept = releases(tmp_path)
    first, second = kept.register(bundle), kept.register(archive)
    assert first == second == kept.find(first.digest)
    assert first.digest == nothing_bundle.digest(bundle)
    assert (first.name, first.version) == ("nothing", "1.0")
    assert [path.name for path in (tmp_path / "releases").iterdir()] == [first.digest[7:]]


def test_an_edited_bundle_is_another_release_and_the_first_stays(tmp_path: Path) -> None:
    bundle = nothing_bundle.write_bundle(tmp_path / "bundle")
    kept = releases(tmp_path)
    first = kept.register(bundle)
    (bundle / "behave.py").write_text("def behave(image): return -image\n")
    second = kept.register(bundle)
    assert first.digest != second.digest
    assert "BEHAVIOURS" in (kept.path(first.digest) / "behave.py").read_text()
    kept.verify(first.digest)


def test_a_changed_copy_is_refused(tmp_path: Path) -> None:
    bundle = nothing_bundle.write_bundle(tmp_path / "bundle")
    kept = releases(tmp_path)
    release = kept.register(bundle)
    inside = kept.path(release.digest) / "behave.py"
    inside.chmod(0o644)
    inside.write_text(inside.read_text() + "\n")
    with pytest.raises(ConfigError, match="its files were changed"):
        kept.verify(release.digest)
    with pytest.raises(ConfigError, match="its files were changed"):
        kept.register(bundle)


def test_an_unknown_release_is_not_found(tmp_path: Path) -> None:
    kept = releases(tmp_path)
    with pytest.raises(NotFound):
        kept.find("sha256:" + "0" * 64)
    with pytest.raises(ConfigError, match="not in this deployment"):
        kept.path("sha256:" + "0" * 64)


def test_no_bundle_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError):
        releases(tmp_path).register(tmp_path / "empty")
    assert not (tmp_path / "releases").exists()
