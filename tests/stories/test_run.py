"""``bedside run`` as a user types it: one study, no queue."""

import hashlib
import json
import os
import zipfile
from pathlib import Path

import pytest

from bedside.cli.main import main
from nothing_bundle import write_bundle, write_study


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bundle and a study, as folder and as ZIP."""
    monkeypatch.chdir(tmp_path)
    write_bundle(tmp_path / "bundle")
    write_study(tmp_path / "study")
    for path in (tmp_path / "study").iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))
    pack(tmp_path / "study", tmp_path / "study.zip")
    os.utime(tmp_path / "study.zip", (1_700_000_000, 1_700_000_000))
    return tmp_path


def pack(folder: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive, "w") as packed:
        for path in folder.iterdir():
            packed.write(path, path.name)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("dicom/*.dcm")}


def test_a_zip_becomes_a_result(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "bundle", "study.zip", "-o", "out", "--outputs", "seg,sr,surface,preview,nifti"]) == 0
    written = capsys.readouterr()
    assert {p.name for p in (here / "out").iterdir()} == {
        "dicom",
        "nifti",
        "preview.png",
        "result.json",
        "surfaces",
    }
    document = json.loads((here / "out" / "result.json").read_text())
    assert "spleen" in written.out
    assert f"{document['measurements'][0]['volume_ml']:.4g}" in written.out
    assert document["inputs"]["series_uid"] in written.out
    assert "taken" in written.out
    assert "running the network\n" in written.err
    assert "running the network" not in written.out


def test_zip_and_folder_of_the_same_files_give_the_same_bytes(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "bundle", "study.zip", "-o", "one", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((here / "one" / "result.json").read_text())
    (here / "two").mkdir()
    (here / "two" / "mine.txt").write_text("kept")
    assert main(["run", "bundle", "study", "-o", "two", "--force"]) == 0
    assert hashes(here / "one") == hashes(here / "two")
    assert len(hashes(here / "one")) == 2
    assert (here / "two" / "mine.txt").read_text() == "kept"


def test_a_study_that_the_model_does_not_read_leaves_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = write_bundle(here / "for_mr") / "configs" / "metadata.json"
    metadata.write_text(metadata.read_text().replace('"CT"', '"MR"'))
    assert main(["run", "for_mr", "study.zip", "-o", "out"]) == 4
    written = capsys.readouterr()
    assert "modality CT is not what the model reads (MR)" in written.err
    assert written.out == ""
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["bundle", "absent.zip"], 2, "absent.zip does not exist"),
        (["absent", "study.zip"], 3, "bundle"),
        (["study", "study.zip"], 3, "metadata.json"),
        (["bundle", "study.zip", "--outputs", "seg,stl"], 2, "--outputs stl: expected seg, sr"),
        (["bundle", "study.zip", "--select", "Modalty == 'CT'"], 3, "Modality"),
        (["bundle", "study.zip", "--select", 'Modality = "CT"'], 3, "Modality"),
        (["bundle", "study.zip", "-o", "bundle"], 2, "bundle is not empty"),
        (["bundle", "study.zip", "-o", "study.zip"], 2, "is a file"),
        (["bundle", "study.zip", "--engine", "tensorflow"], 2, "torch"),
    ],
)
def test_what_was_typed_is_checked_first(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, words: str
) -> None:
    before = sorted(here.rglob("*"))
    assert main(["run", *arguments]) == code
    written = capsys.readouterr()
    assert words in written.err
    assert "hint: " in written.err
    assert written.out == ""
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("content", [{"../escape.dcm": b"x"}, {"a.zip": b"PK\x03\x04" + bytes(300)}, {}])
def test_a_zip_that_is_up_to_something_is_rejected(
    here: Path, capsys: pytest.CaptureFixture[str], content: dict[str, bytes]
) -> None:
    with zipfile.ZipFile(here / "bad.zip", "w") as packed:
        for name, data in content.items():
            packed.writestr(name, data)
    assert main(["run", "bundle", "bad.zip", "-o", "out"]) == 4
    written = capsys.readouterr().err
    assert "error: " in written
    assert "escape" not in written
    assert not (here / "out").exists()
    assert not (here.parent / "escape.dcm").exists()
