"""What cannot be used or is not wanted: where it ends, and who is told what."""

import json
from collections.abc import Callable
from pathlib import Path

import nothing_bundle
from bedside.domain.arrival import EntryState
from bedside.domain.job import JobState
from clinic import SPLEEN, Clinic, copied, files_below, zipped


def test_a_missing_slice_is_rejected_with_its_numbers(clinic: Clinic, tmp_path: Path) -> None:
    study = sorted(nothing_bundle.write_study(tmp_path / "study", slices=8).iterdir())
    copied(study[:4] + study[5:], clinic.inbox() / "DOE_JANE")
    clinic.read_all()
    job = clinic.job()
    assert (job.state, job.attempts) == (JobState.REJECTED, 1)
    assert job.failure is not None
    reason = job.failure.message
    assert "gap of 5.000 mm between slices 4 and 5, median 2.500 mm: 1 slice missing" in reason
    assert not clinic.place(job).exists()
    assert clinic.results(current_only=False) == {}

    (entry,) = clinic.entries()
    assert (entry.state, entry.reason) == (EntryState.REJECTED, reason)
    assert files_below(clinic.inbox()) == {}
    place = clinic.root / "default" / "rejected" / entry.id
    kept = files_below(place)
    told = json.loads(kept.pop("reason.json"))
    assert len(kept) == 7
    assert sorted(kept.values()) == sorted(p.read_bytes() for p in study[:4] + study[5:])
    assert told["jobs"] == [{"id": job.id, "pipeline": "spleen", "state": "rejected", "reason": reason}]

    for what in ("DOE_JANE", entry.id, job.id, job.subject):
        explained = clinic.type("job", "why", what)
        assert explained.code == 0
        assert reason in explained.out
        assert "rule spleen on CT started spleen" in explained.out
    assert clinic.type("job", "watch", job.id).code == 4


def test_a_corrupt_zip_is_rejected_with_its_reason(clinic: Clinic, tmp_path: Path) -> None:
    study = sorted(nothing_bundle.write_study(tmp_path / "study").iterdir())
    whole = zipped(study, tmp_path / "whole.zip").read_bytes()
    third = study[2].read_bytes()
    pixels = whole.index(third) + len(third) - 8
    sent = whole[:pixels] + b"\xff" + whole[pixels + 1 :]
    (clinic.inbox() / "DOE_JANE.zip").write_bytes(sent)
    clinic.read_all()
    assert clinic.jobs() == []
    (entry,) = clinic.entries()
    assert entry.state is EntryState.REJECTED
    assert entry.reason == "ZIP: entry 3 fails its checksum"
    kept = files_below(clinic.root / "default" / "rejected" / entry.id)
    assert set(kept) == {"reason.json", "000001.zip"}
    assert kept["000001.zip"] == sent
    told = json.loads(kept["reason.json"])
    assert (told["state"], told["reason"]) == ("rejected", entry.reason)
    assert files_below(clinic.inbox()) == {}
    assert files_below(clinic.root / "default" / "arrivals") == {}
    assert files_below(clinic.here.scratch / "intake" / "default").keys() == {"intake.lock"}
    explained = clinic.type("job", "why", "DOE_JANE.zip")
    assert entry.reason in explained.out
    assert "rejected" in explained.out


def test_what_no_rule_wants_is_kept_and_explained(clinic: Clinic, tmp_path: Path) -> None:
    study = nothing_bundle.write_study(tmp_path / "study", behaviour="rejects")  # an MR
    zipped(study.iterdir(), clinic.inbox() / "mr.zip")
    clinic.read_all()
    assert clinic.jobs() == []
    (entry,) = clinic.entries()
    assert (entry.state, entry.reason) == (EntryState.SETTLED, "no rule started a job")
    assert set(files_below(clinic.root / "default" / "inferred" / entry.id)) == {"entry.json", "000001.zip"}
    explained = clinic.type("job", "why", "mr.zip")
    assert "rule spleen on CT did not start spleen: Modality == 'CT' is false: it is 'MR'" in explained.out
    assert "Modality = 'MR'" in explained.out
    (arrival,) = clinic.type("job", "why", entry.id, "--json").json["arrivals"]
    (decision,) = arrival["decisions"]
    assert decision["matched"] is False
    assert list(decision["values"].values()) == [{"Modality": "MR"}]
    assert clinic.type("job", "list").err.startswith("no jobs; ")


def test_what_one_model_refuses_another_may_read(clinic_of: Callable[..., Clinic], tmp_path: Path) -> None:
    """One of two jobs rejects its input: the entry was read, and settles."""
    picky = SPLEEN.replace('"spleen"', '"picky"').replace("spleen on CT", "picky on CT")
    picky = picky.replace("[[rule]]", "[pipeline.accept]\nmin_slices = 50\n\n[[rule]]")
    clinic = clinic_of(pipelines=SPLEEN + picky)
    zipped(nothing_bundle.write_study(tmp_path / "study").iterdir(), clinic.inbox() / "ct.zip")
    clinic.read_all()
    states = {job.pipeline.name: job.state for job in clinic.jobs()}
    assert states == {"spleen": JobState.SUCCEEDED, "picky": JobState.REJECTED}
    (entry,) = clinic.entries()
    assert entry.state is EntryState.SETTLED
    said = clinic.type("job", "why", entry.id).out
    assert "6 slices, the model needs at least 50" in said
    record = json.loads((clinic.root / "default/inferred" / entry.id / "entry.json").read_text())
    assert {job["pipeline"]: job["state"] for job in record["jobs"]} == {
        n: s.value for n, s in states.items()
    }
