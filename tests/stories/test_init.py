"""``bedside init`` and ``bedside config`` as a user types them."""

import json
import re
import shutil
from pathlib import Path

import pytest

from bedside.cli.main import main
from bedside.config import load
from nothing_bundle import write_bundle


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_bundle(tmp_path / "bundle")
    return tmp_path


def test_what_init_writes_passes_the_check(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "bundle"]) == 0
    assert main(["config", "check"]) == 0
    assert "fail" not in capsys.readouterr().out
    settings = load(None, environment={}, flags={}).settings
    assert settings.pipeline[0].bundle == here / "bundle"
    assert settings.rule[0].when == 'Modality == "CT"'
    assert not (here / "bedside-data").exists()


def test_every_line_of_it_may_be_taken_in_force(here: Path) -> None:
    main(["init", "bundle"])
    file = here / "bedside.toml"
    text = file.read_text()
    commented = re.findall(r"^# [a-z_]+ = ", text, re.MULTILINE)
    assert len(commented) >= 10
    file.write_text(re.sub(r"^# ([a-z_]+ = )", r"\1", text, flags=re.MULTILINE))
    pipeline = load(None, environment={}, flags={}).settings.pipeline[0]
    assert pipeline.labels["1"].name == "spleen"
    assert pipeline.labels["1"].code == ("78961009", "SCT", "Spleen")
    assert pipeline.accept.modality == ("CT",)


def test_it_refuses_to_overwrite(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bedside.toml").write_text("# mine\n")
    assert main(["init", "bundle"]) == 2
    assert "--force" in capsys.readouterr().err
    assert (here / "bedside.toml").read_text() == "# mine\n"
    assert main(["init", "bundle", "--force"]) == 0
    assert "[[pipeline]]" in (here / "bedside.toml").read_text()


def test_a_bundle_in_an_archive_and_a_file_elsewhere(here: Path) -> None:
    archive = shutil.make_archive(str(here / "packed"), "zip", here / "bundle")
    assert main(["init", archive, "-o", "etc/bedside.toml"]) == 0
    assert main(["config", "check", "-c", "etc/bedside.toml"]) == 0
    loaded = load(here / "etc" / "bedside.toml", environment={}, flags={})
    assert loaded.settings.pipeline[0].bundle == Path(archive)


def test_something_else_than_a_bundle(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "empty").mkdir()
    assert main(["init", "empty"]) == 3
    assert "hint: " in capsys.readouterr().err
    assert not (here / "bedside.toml").exists()


@pytest.mark.parametrize(
    ("was", "becomes", "words"),
    [
        ('bundle = "bundle"', 'bundle = "gone"', "pipeline nothing"),
        ("Modality ==", "Modaliti ==", "Modality"),
        ('== "CT"', "> 3", "rule nothing by modality"),
    ],
)
def test_check_finds_what_cannot_work(
    here: Path, capsys: pytest.CaptureFixture[str], was: str, becomes: str, words: str
) -> None:
    main(["init", "bundle"])
    file = here / "bedside.toml"
    assert was in file.read_text()
    file.write_text(file.read_text().replace(was, becomes))
    capsys.readouterr()
    assert main(["config", "check", "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    failed = [finding for finding in found["findings"] if finding["status"] == "fail"]
    assert not found["ok"]
    assert len(failed) == 1
    assert words in failed[0]["what"] + failed[0]["detail"]


def test_check_finds_a_ledger_that_is_out_of_reach(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["init", "bundle"])
    with (here / "bedside.toml").open("a") as file:
        file.write('\n[ledger]\nurl = "postgresql+psycopg://me:s3cret@127.0.0.1:1/none"\n')
    assert main(["config", "check"]) == 3
    written = capsys.readouterr()
    assert "fail  ledger" in written.out
    assert "s3cret" not in written.out + written.err


def test_show_names_sources_and_masks_passwords(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["init", "bundle"])
    monkeypatch.setenv("BEDSIDE_LEDGER_URL", "postgresql://me:s3cret@db/bedside")
    capsys.readouterr()
    assert main(["config", "show", "--json"]) == 0
    text = capsys.readouterr().out
    found = {line["key"]: line for line in json.loads(text)["settings"]}
    assert found["ledger.url"] == {
        "key": "ledger.url",
        "value": "postgresql://me:***@db/bedside",
        "source": "BEDSIDE_LEDGER_URL",
    }
    assert found["system.root"]["source"].startswith("bedside.toml:")
    assert found["worker.count"]["source"] == "default"
    assert main(["config", "show"]) == 0
    assert "s3cret" not in capsys.readouterr().out


def test_schema_is_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert set(schema["properties"]) >= {"system", "pipeline", "rule"}
    assert schema["additionalProperties"] is False
