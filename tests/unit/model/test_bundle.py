"""Opening a bundle: its labels, limits and digest, and what is refused before anything runs."""

import io
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bedside.errors import ConfigError
from bedside.model.bundle import open_bundle
from bedside.model.layout import unpack_bundle
from bedside.model.metadata import read_metadata


def metadata(**output: Any) -> dict[str, Any]:
    return {
        "version": "0.3.1",
        "name": "Spleen",
        "task": "Find the spleen",
        "network_data_format": {
            "inputs": {"image": {"type": "image", "modality": "CT", "num_channels": 1}},
            "outputs": {"pred": {"type": "image", "format": "segmentation"} | output},
        },
    }


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    root = tmp_path / "spleen"
    for folder in ("configs", "models", "docs"):
        (root / folder).mkdir(parents=True)
    document = metadata(channel_def={"0": "background", "1": "spleen"})
    (root / "configs/metadata.json").write_text(json.dumps(document))
    config = {"loader": {"load_path": "$@bundle_root + '/models/model.pt'"}}
    (root / "configs/inference.json").write_text(json.dumps(config))
    (root / "models/model.pt").write_bytes(b"weights")
    (root / "docs/README.md").write_text("read me")
    return root


def test_metadata_becomes_labels_and_limits(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert (opened.name, opened.version, opened.task) == ("Spleen", "0.3.1", "Find the spleen")
    assert [(label.value, label.code.value) for label in opened.labels] == [(1, "78961009")]
    assert opened.acceptance.modalities == {"CT"}
    assert (opened.acceptance.min_slices, opened.acceptance.spacing_mm) == (1, None)
    assert opened.weights == "models/model.pt"


def test_opening_imports_no_torch_and_runs_nothing(bundle: Path) -> None:
    (bundle / "configs/inference.json").write_text('{"imports": ["$1/0"], "x": "models/model.pt"}')
    code = (
        "import sys; from pathlib import Path; from bedside.model.bundle import open_bundle;"
        f"open_bundle(Path({str(bundle)!r}));"
        "print([m for m in ('torch', 'monai', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("channels", "first", "labels"),
    [
        ({"0": "background", "1": "liver", "2": "tumor"}, True, [(1, "liver"), (2, "tumor")]),
        ({"0": "lesion"}, False, [(1, "lesion")]),
        ({"0": "WT", "1": "TC", "2": "ET"}, False, [(1, "WT"), (2, "TC"), (3, "ET")]),
        (["background", "aorta"], True, [(1, "aorta")]),
    ],
)
def test_channels_and_voxel_values_agree(channels: Any, first: bool, labels: Any) -> None:
    read = read_metadata(metadata(channel_def=channels), name="x")
    assert read.first_is_background is first
    assert [(label.value, label.name) for label in read.labels] == labels


def test_numbers_are_no_labels() -> None:
    document = metadata(type="probabilities", format="classes", channel_def={"0": "benign", "1": "malign"})
    read = read_metadata(document, name="x")
    assert read.labels == ()
    assert read.channels == ("benign", "malign")


@pytest.mark.parametrize(("stated", "modalities"), [("MRI", {"MR"}), ("n/a", set()), ("CT/MR", {"CT", "MR"})])
def test_limits_are_only_what_is_stated(stated: str, modalities: set[str]) -> None:
    document = metadata()
    document["network_data_format"]["inputs"]["image"]["modality"] = stated
    assert read_metadata(document, name="x").acceptance.modalities == modalities


def test_bedside_key_states_limits_and_labels() -> None:
    document = metadata(channel_def={"0": "background", "1": "organ"}) | {
        "bedside": {
            "accepts": {"body_part": ["abdomen"], "min_slices": 20, "spacing_mm": [0.4, 6]},
            "labels": {"1": {"name": "spleen", "colour": [1, 2, 3]}},
        }
    }
    read = read_metadata(document, name="x")
    assert read.acceptance.body_parts == {"ABDOMEN"}
    assert (read.acceptance.min_slices, read.acceptance.spacing_mm) == (20, (0.4, 6.0))
    assert (read.labels[0].name, read.labels[0].code.value, read.labels[0].colour) == (
        "spleen",
        "78961009",
        (1, 2, 3),
    )


def test_every_form_of_a_bundle_is_one_release(bundle: Path, tmp_path: Path) -> None:
    digest = open_bundle(bundle).digest
    for form in ("zip", "gztar"):
        for name, start in (("wrapped", bundle.parent), ("bare", bundle)):
            base = bundle.name if name == "wrapped" else "."
            archive = Path(shutil.make_archive(str(tmp_path / f"{name}-{form}"), form, start, base))
            assert open_bundle(archive).digest == digest
            assert open_bundle(unpack_bundle(archive, tmp_path / f"out-{name}-{form}")).digest == digest


def test_digest_covers_what_changes_an_answer_and_nothing_else(bundle: Path) -> None:
    before = open_bundle(bundle).digest
    (bundle / "docs/README.md").write_text("changed")
    (bundle / ".git").mkdir()
    (bundle / ".git/HEAD").write_text("x")
    assert open_bundle(bundle).digest == before
    (bundle / "scripts").mkdir()
    (bundle / "scripts/own.py").write_text("x = 1")
    changed = open_bundle(bundle).digest
    assert changed != before
    (bundle / "models/model.pt").write_bytes(b"other weights")
    assert open_bundle(bundle).digest not in {before, changed}


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("no metadata", "no configs/metadata.json"),
        ("metadata", "metadata.json is not JSON"),
        ("no config", "no configs/inference.json"),
        ("config", "inference.json is not JSON"),
        ("no weights", "no weights"),
        ("renamed", r"names models/model.pt, but models/ holds models/best.pt"),
        ("a list", "is list, not an object"),
        ("channels", "no channel number"),
    ],
)
def test_what_is_missing_or_broken_is_named(broken: str, message: str, bundle: Path) -> None:
    meta, config, weights = (
        bundle / name for name in ("configs/metadata.json", "configs/inference.json", "models/model.pt")
    )
    {
        "no metadata": meta.unlink,
        "metadata": lambda: meta.write_text("{"),
        "no config": config.unlink,
        "config": lambda: config.write_text("{'a': 1}"),
        "no weights": weights.unlink,
        "renamed": lambda: weights.rename(bundle / "models/best.pt"),
        "a list": lambda: meta.write_text("[]"),
        "channels": lambda: meta.write_text(json.dumps(metadata(channel_def={"one": "spleen"}))),
    }[broken]()
    with pytest.raises(ConfigError, match=message):
        open_bundle(bundle)


def test_exported_network_may_stand_in_for_weights(bundle: Path) -> None:
    (bundle / "models/model.pt").rename(bundle / "models/model.ts")
    assert open_bundle(bundle).weights == "models/model.ts"


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        open_bundle(tmp_path / "missing")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ConfigError, match="neither a folder"):
        open_bundle(tmp_path / "text")


@pytest.mark.parametrize("name", ["../outside.py", "/absolute.py", "C:/windows.py", "..\\outside.py"])
def test_archives_stay_in_their_folder(name: str, bundle: Path, tmp_path: Path) -> None:
    archive = Path(shutil.make_archive(str(tmp_path / "b"), "zip", bundle))
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(name, "x")
    with pytest.raises(ConfigError, match="outside"):
        unpack_bundle(archive, tmp_path / "out")


def test_links_in_archives_are_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo("configs/metadata.json")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        archive.addfile(link, io.BytesIO())
    with pytest.raises(ConfigError, match="link"):
        open_bundle(tmp_path / "b.tar.gz")
