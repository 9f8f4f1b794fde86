"""``bedside judgement`` as people type it, on a study that was really read and judged."""

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.cli.main import main
from bedside.domain.judgement import RejectionReason, Verdict
from bedside.judging.judge import Said, Sender
from portal_results import TENANT, Made, ResultSite, made_result, result_site  # noqa: F401  # a fixture
from viewer_seg import as_a_viewer_sends


@pytest.fixture
def place(made_result: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ResultSite]:  # noqa: F811
    monkeypatch.chdir(tmp_path)
    with result_site(made_result, tmp_path) as opened:
        yield opened


def typed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["judgement", *arguments])
    written = capsys.readouterr()
    return code, written.out, written.err


def test_nothing_judged_says_how(place: ResultSite, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("list", "quality"):
        code, out, err = typed(capsys, verb)
        assert (code, out) == (0, "") and "nothing was judged" in err


def test_what_was_said_is_listed_counted_and_exported(
    place: ResultSite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judge, job = place.deployment.judge, place.made.job_id
    judge.judge(
        TENANT, job, Said(verdict=Verdict.REJECTED, reason=RejectionReason.SIDE, comment="Jane Doe"), "p-1"
    )
    original = tmp_path / "model.dcm"
    original.write_bytes(place.deployment.blobs.tenant(TENANT).get(f"{place.job.prefix}/dicom/seg.dcm"))
    sent = as_a_viewer_sends(original, tmp_path / "sent.dcm")
    judge.correct(TENANT, job, sent, Sender(subject="p-2", name="Curie^Marie"))

    code, out, _ = typed(capsys, "list")
    assert code == 0 and [line.split()[4] for line in out.splitlines()[1:]] == ["corrected", "rejected"]
    assert "Jane" not in out
    _, out, _ = typed(capsys, "list", "--verdict", "rejected", "--json")
    assert [each["comment"] for each in json.loads(out)["judgements"]] == ["Jane Doe"]
    _, out, _ = typed(capsys, "quality", "--json")
    (figure,) = json.loads(out)["releases"]
    assert (figure["judged"], figure["corrected"], figure["acceptance"]) == (1, 1, 0.0)
    _, out, _ = typed(capsys, "export")
    assert [row["verdict"] for row in csv.DictReader(io.StringIO(out))] == ["corrected"]
    code, out, err = typed(capsys, "export", "--format", "zip", "-o", str(tmp_path / "labels.zip"))
    assert code == 0 and "1 results" in err
    with zipfile.ZipFile(tmp_path / "labels.zip") as labels:
        assert labels.namelist() == ["judgements.jsonl", f"labels/{job}.dcm"]
        assert labels.testzip() is None


def test_another_tenants_are_not_shown(place: ResultSite, capsys: pytest.CaptureFixture[str]) -> None:
    place.deployment.judge.judge(TENANT, place.made.job_id, Said(verdict=Verdict.ACCEPTED), "p-1")
    assert typed(capsys, "list", "--tenant", "ward-3")[1] == ""
    assert typed(capsys, "list", "--tenant", "nobody")[0] == 2
