"""A system that runs, and everything that is typed beside it: ``submit`` and ``job``.

One ``bedside serve`` for all of this file, with a bundle that computes next to nothing.
"""

import json
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bedside.cli.main import main
from bedside.cli.served import Served
from nothing_bundle import write_bundle, write_study


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The configuration of a running system."""
    folder = tmp_path_factory.mktemp("system")
    write_bundle(folder / "bundle")
    configuration = folder / "bedside.toml"
    assert main(["init", str(folder / "bundle"), "-o", str(configuration)]) == 0
    text = configuration.read_text()
    text = text.replace("[worker]", "[worker]\nbackoff_s = 0.1\npoll_s = 0.05")
    text = text.replace("[intake]", "[intake]\npoll_s = 0.1")
    configuration.write_text(text.replace('# tenants = ["default"]', 'tenants = ["default", "ward-3"]'))
    with Served(configuration, folder / "serve.log"):
        yield configuration


class Typed:
    """What a command gave."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """Types commands against the system."""

    def __init__(self, configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.configuration, self.capsys = configuration, capsys

    def __call__(self, *arguments: object) -> Typed:
        self.capsys.readouterr()
        code = main([*map(str, arguments), "-c", str(self.configuration)])
        written = self.capsys.readouterr()
        return Typed(code, written.out, written.err)


@pytest.fixture
def bedside(system: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(system, capsys)


def zipped(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.iterdir()):
            packed.write(path, path.name)
    return archive


def test_a_zip_goes_in_and_a_result_comes_out(bedside: Terminal, tmp_path: Path) -> None:
    study = zipped(write_study(tmp_path / "s", seed="zip"), tmp_path / "DOE_JANE.zip")
    sent = bedside("submit", study, "--wait", "--json")
    assert sent.code == 0, sent.err
    (job,) = sent.json["jobs"]
    assert job["state"] == "succeeded"
    assert "succeeded" in sent.err

    shown = bedside("job", "show", job["id"][:8], "--json").json
    place = Path(shown["place"])
    assert shown["document"] == json.loads((place / "result.json").read_text())
    assert {file["path"] for file in shown["document"]["files"]} >= {"dicom/seg.dcm", "dicom/sr.dcm"}
    assert all((place / file["path"]).is_file() for file in shown["document"]["files"])
    assert [event["action"] for event in shown["history"]]

    words = bedside("job", "show", job["id"])
    assert str(place) in words.out
    assert "spleen" in words.out

    for what in (
        job["id"],
        job["arrival_id"],
        job["study_uid"],
        "DOE_JANE.zip",
        sent.json["entries"][0]["id"],
    ):
        explained = bedside("job", "why", what)
        assert explained.code == 0, explained.err
        assert "Modality" in explained.out
        assert f"job {job['id']}: succeeded" in explained.out
        assert "DOE" not in explained.out + explained.err
    (arrival,) = bedside("job", "why", "DOE_JANE.zip", "--json").json["arrivals"]
    assert arrival["decisions"][0]["matched"]
    assert "CT" in json.dumps(arrival["decisions"][0]["values"])


def test_a_tenant_that_is_made_now_is_served_by_what_runs_already(bedside: Terminal, tmp_path: Path) -> None:
    study = zipped(write_study(tmp_path / "s", seed="tenant"), tmp_path / "study.zip")
    assert bedside("submit", study, "--tenant", "hospital/ct").code == 2, "nobody made it"
    assert bedside("tenant", "create", "hospital/ct").code == 0
    sent = bedside("submit", study, "--wait", "--tenant", "hospital/ct", "--json")
    assert sent.code == 0 and sent.json["jobs"][0]["state"] == "succeeded", sent.err
    assert bedside("tenant", "delete", "hospital/ct", "--remove", "--yes").code == 0
    refused = bedside("submit", study, "--tenant", "hospital/ct")
    assert refused.code == 2 and "takes no studies" in refused.err


def test_a_folder_and_loose_files_are_the_same_study(bedside: Terminal, tmp_path: Path) -> None:
    folder = write_study(tmp_path / "study of one", seed="folder")
    first = bedside("submit", folder, "--wait", "--json").json
    again = bedside("submit", *sorted(folder.iterdir()), "--wait", "--json").json
    assert [job["id"] for job in first["jobs"]] == [job["id"] for job in again["jobs"]]
    assert first["entries"][0]["id"] != again["entries"][0]["id"]


def test_lists_are_filtered_and_paged(bedside: Terminal, tmp_path: Path) -> None:
    for seed in ("list-1", "list-2"):
        bedside("submit", write_study(tmp_path / seed, seed=seed), "--wait")
    everything = bedside("job", "list", "--json", "--limit", 1000).json
    assert not everything["more"]
    first = bedside("job", "list", "--json", "--limit", 1).json
    second = bedside("job", "list", "--json", "--limit", 1, "--offset", 1).json
    assert first["more"]
    assert [first["jobs"][0]["id"], second["jobs"][0]["id"]] == [j["id"] for j in everything["jobs"][:2]]
    uid = first["jobs"][0]["study_uid"]
    assert [j["study_uid"] for j in bedside("job", "list", "--study", uid, "--json").json["jobs"]] == [uid]
    assert bedside("job", "list", "--pipeline", "other", "--json").json["jobs"] == []
    assert bedside("job", "list", "--state", "running", "--json").json["jobs"] == []
    table = bedside("job", "list", "--limit", 1)
    assert first["jobs"][0]["id"][:12] in table.out
    assert "--offset 1" in table.err


def test_what_holds_no_study_is_rejected_with_its_reason(bedside: Terminal, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "MUSTER_MAX.zip", "w") as packed:
        packed.writestr("report.txt", "no DICOM here")
    sent = bedside("submit", tmp_path / "MUSTER_MAX.zip", "--wait")
    assert sent.code == 4
    assert "was rejected: " in sent.err
    explained = bedside("job", "why", "MUSTER_MAX.zip")
    assert explained.code == 0
    assert "rejected" in explained.out
    assert "MUSTER" not in sent.err + explained.out
    assert "rejected" in bedside("job", "why").out


def test_a_missing_slice_is_rejected_with_the_numbers(bedside: Terminal, tmp_path: Path) -> None:
    folder = write_study(tmp_path / "gap", seed="gap", slices=9)
    sorted(folder.iterdir())[4].unlink()
    sent = bedside("submit", folder, "--wait", "--json")
    assert sent.code == 4
    (job,) = sent.json["jobs"]
    assert job["state"] == "rejected"
    assert job["failure"]["error"] == "InputRejected"
    assert "mm" in job["failure"]["message"]
    assert bedside("job", "watch", job["id"]).code == 4


def test_a_study_that_no_rule_wants_says_why(bedside: Terminal, tmp_path: Path) -> None:
    sent = bedside("submit", write_study(tmp_path / "mr", seed="mr", behaviour="rejects"), "--wait", "--json")
    assert sent.code == 0
    assert sent.json["jobs"] == []
    entry = sent.json["entries"][0]["id"]
    assert f"bedside job why {entry}" in sent.err
    explained = bedside("job", "why", entry)
    assert "did not start" in explained.out
    assert "'MR'" in explained.out


def test_a_dead_job_is_seen_and_sent_again(bedside: Terminal, tmp_path: Path) -> None:
    sent = bedside("submit", write_study(tmp_path / "bad", seed="bad", behaviour="fails"), "--wait", "--json")
    assert sent.code == 6
    (job,) = sent.json["jobs"]
    assert (job["state"], job["attempts"]) == ("dead", 3)
    assert job["id"] in [j["id"] for j in bedside("job", "list", "--state", "dead", "--json").json["jobs"]]
    doctor = bedside("doctor", "--json").json
    assert any("dead" in f["detail"] and "--state dead" in f["mend"] for f in doctor["findings"])

    again = bedside("job", "retry", "--all-dead", "--json")
    assert again.code == 0, again.err
    assert job["id"] in [j["id"] for j in again.json["jobs"]]
    assert bedside("job", "watch", job["id"]).code == 6
    actions = [e["action"] for e in bedside("job", "show", job["id"], "--json").json["history"]]
    assert any("redrive" in action for action in actions)


def test_a_finished_job_is_run_anew_only_when_meant(bedside: Terminal, tmp_path: Path) -> None:
    sent = bedside("submit", write_study(tmp_path / "again", seed="again"), "--wait", "--json").json
    job = sent["jobs"][0]
    refused = bedside("job", "retry", job["id"])
    assert refused.code == 2
    assert "add --yes" in refused.err
    (rerun,) = bedside("job", "retry", job["id"], "--yes", "--json").json["jobs"]
    assert rerun["run"] == 1
    assert bedside("job", "watch", rerun["id"]).code == 0
    old = bedside("job", "show", job["id"], "--json").json
    new = bedside("job", "show", rerun["id"], "--json").json
    assert old["superseded_by"] == rerun["id"]
    files = [{f["path"]: f["sha256"] for f in shown["document"]["files"]} for shown in (old, new)]
    assert files[0] == files[1]


def test_a_running_job_is_watched_left_and_cancelled(bedside: Terminal, system: Path, tmp_path: Path) -> None:
    bedside("submit", write_study(tmp_path / "long", seed="long", behaviour="sleeps"))
    began = time.monotonic()
    running: list[dict[str, Any]] = []
    while not running and time.monotonic() - began < 60:
        running = bedside("job", "list", "--state", "running", "--json").json["jobs"]
        time.sleep(0.1)
    job = running[0]["id"]
    watching = subprocess.Popen(
        [sys.executable, "-m", "bedside", "job", "watch", job, "-c", str(system)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stderr is not None
    assert "nothing" in watching.stderr.readline()
    watching.send_signal(signal.SIGINT)
    assert watching.wait(20) == 130
    assert bedside("job", "retry", job).code == 2
    refused = bedside("job", "cancel", job)
    assert (refused.code, "add --yes" in refused.err) == (2, True)
    assert bedside("job", "cancel", job, "--yes").code == 0
    assert bedside("job", "watch", job).code == 1
    assert bedside("job", "cancel", job, "--yes").code == 2
    assert bedside("job", "priority", job, "5").code == 2


def test_tenants_do_not_see_each_other(bedside: Terminal, tmp_path: Path) -> None:
    study = write_study(tmp_path / "ward", seed="ward")
    sent = bedside("submit", study, "--wait", "--json", "--tenant", "ward-3").json
    job = sent["jobs"][0]["id"]
    assert bedside("job", "show", job, "--tenant", "ward-3").code == 0
    assert bedside("job", "show", job).code == 2
    assert bedside("job", "why", sent["jobs"][0]["study_uid"]).code == 2
    wrong = bedside("job", "list", "--tenant", "ward3")
    assert wrong.code == 2
    assert "'ward-3'" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["submit", "absent.zip"], "does not exist"),
        (["job", "show", "0000"], "no job 0000"),
        (["job", "retry"], "name jobs, or --all-dead"),
        (["job", "why", "nonsense"], "no job, arrival, study or entry"),
        (["job", "list", "--state", "done"], "succeeded"),
    ],
)
def test_mistakes(bedside: Terminal, arguments: list[str], words: str) -> None:
    typed = bedside(*arguments)
    assert typed.code == 2
    assert words in typed.err
    assert typed.out == ""
