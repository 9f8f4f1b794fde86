"""Rules tried out as somebody types it: on files, on attributes, on what arrived."""

import json
from pathlib import Path

import pytest

from bedside.cli.main import main
from bedside.config import load
from bedside.wiring import open_deployment
from dicom_samples import series
from intake_samples import instances, zipped

CONFIGURATION = """
[system]
root = "data"

[portal]
listen = ""

[intake]
quiet_s = 0

[worker]
count = 0

[[pipeline]]
name = "spleen"
command = ["true", "{input}", "{output}"]

[[rule]]
name = "thin CT"
pipeline = "spleen"
when = "Modality == 'CT' and SliceThickness <= 5"
"""
CHANGED = """
[[rule]]
name = "MR"
pipeline = "spleen"
when = "Modality == 'MR'"
requires = ["PatientName == 'DOE^JANE'"]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bedside.toml").write_text(CONFIGURATION)
    (tmp_path / "changed.toml").write_text(CHANGED)
    return tmp_path


def test_rules_are_tried_on_files_and_attributes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    series(here / "study", SliceThickness=7.5, PatientName="DOE^JANE")
    assert main(["rules", "test", "study"]) == 0
    told = capsys.readouterr().out
    assert "rule thin CT: does not match" in told
    assert "false  SliceThickness <= 5: it is 7.5" in told and "true   Modality == 'CT': it is 'CT'" in told
    assert main(["rules", "test", "--set", "Modality=CT", "--set", "SliceThickness=1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rules"][0]["matched"] is True
    assert main(["rules", "test", "study", "--rules", "changed.toml"]) == 0
    told = capsys.readouterr().out
    assert "PatientName == 'DOE^JANE': it is (withheld)" in told
    (here / "text.txt").write_text("hello")
    for wrong, code, words in (
        (["text.txt"], 4, "1 files: no DICOM instance"),
        (["none"], 2, "arrival none: none in tenant default"),
        ([], 2, "name a study"),
        (["study", "--rules", "none.toml"], 2, "none.toml cannot be read"),
        (["--set", "Modallity=CT"], 3, "did you mean 'Modality'"),
    ):
        assert main(["rules", "test", *wrong]) == code, wrong
        assert words in capsys.readouterr().err, wrong


def test_changed_rules_are_replayed_over_what_arrived(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "replay", "--rules", "changed.toml"]) == 2
    assert "no study arrived" in capsys.readouterr().err
    box = here / "data" / "default" / "input"
    box.mkdir(parents=True, exist_ok=True)
    for modality in ("CT", "MR"):
        files = instances(here / modality, modality, modality=modality, SliceThickness=2.0)
        (box / f"{modality}.zip").write_bytes(zipped(files))
    deployment = open_deployment(load(Path("bedside.toml"), environment={}, flags={}).settings)
    while deployment.intake.step("default"):
        pass
    deployment.close()
    assert main(["rules", "replay", "--rules", "changed.toml", "--csv", "out.csv", "--since", "1d"]) == 0
    told = capsys.readouterr()
    assert "2 studies: 1 newly, 1 no longer" in told.err
    assert [line.split()[0] for line in told.out.splitlines()[1:]] == ["newly", "no"]
    rows = (here / "out.csv").read_text().splitlines()
    assert len(rows) == 3 and "DOE" not in told.out + rows[1] + rows[2]
    arrival = next(row.split(",")[1] for row in rows[1:] if ",no_longer," in row)
    assert main(["rules", "test", arrival]) == 0
    assert "rule thin CT: starts spleen" in capsys.readouterr().out
    assert main(["rules", "replay", "--rules", "bedside.toml", "--json"]) == 0
    totals = json.loads(capsys.readouterr().out)["totals"]
    assert (totals["same"], totals["nothing"], totals["newly"]) == (1, 1, 0)
    assert main(["rules", "replay", "--rules", "changed.toml", "--last", "0"]) == 2
