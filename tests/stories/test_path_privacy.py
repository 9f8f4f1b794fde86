"""What must not be said: names of files, patients' data, credentials."""

import gzip
import json
import re
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import pydicom
import pytest

import nothing_bundle
from bedside.domain.job import JobState
from bedside.ports import Outcome, Progress, Task
from clinic import SPLEEN, Clinic, copied, files_below, zipped
from dicom_samples import assign

#: In the names of everything that is sent, and nowhere else.
FILE_NAMES = ("ROENTGEN", "WILHELM")
#: In the header of every instance, and in derived DICOM objects, which belong to the same patient.
PATIENT = {
    "PatientName": "Meitner^Lise",
    "PatientID": "LM-78-4711",
    "PatientBirthDate": "18781107",
    "OtherPatientNames": "Meitner^Elise",
    "PatientAddress": "Thielallee 63",
    "AccessionNumber": "ACC0815",
    "ReferringPhysicianName": "Hahn^Otto",
    "PatientComments": "Barium",
    "InstitutionName": "Dahlem",
}
WORDS = (
    "meitner",
    "lise",
    "78-4711",  # not four digits alone: they come up in hashes and times by chance
    "18781107",
    "1878-11-07",
    "thielallee",
    "acc0815",
    "hahn",
    "barium",
    "dahlem",
)

ALL_OUTPUTS = SPLEEN.replace('["seg", "sr"]', '["seg", "sr", "surface", "preview", "nifti"]').replace(
    "\"Modality == 'CT'\"",
    "\"PatientID matches '^LM-' and PatientBirthDate >= '18000101' and not exists ContrastBolusAgent\"",
)


def patient(folder: Path, *, behaviour: str = "works", slices: int = 6) -> list[Path]:
    """Write the study of a person."""
    study = sorted(nothing_bundle.write_study(folder, behaviour=behaviour, slices=slices).iterdir())
    for path in study:
        assign(path, **PATIENT)
    return study


def send_everything(clinic: Clinic, folder: Path, tenant: str = "default") -> None:
    """Send studies that end in every way there is, under names that hold a name, and read them."""
    read = patient(folder / "read")
    gap = patient(folder / "gap", slices=9)
    fails = patient(folder / "fails", behaviour="fails")
    for path in (*gap, *fails):
        seed = path.parent.name
        assign(
            path,
            StudyInstanceUID=f"2.25.{len(seed)}77{ord(seed[0])}",
            SeriesInstanceUID=f"2.25.{ord(seed[0])}1",
        )
    inbox = clinic.inbox(tenant)
    zipped(read, inbox / "ROENTGEN^WILHELM.zip", named=lambda path: f"ROENTGEN/{path.stem}.WILHELM")
    copied(gap[:4] + gap[5:], inbox / "Roentgen" / "Wilhelm", named=lambda path: f"{path.stem}.wilhelm")
    copied(fails, inbox, named=lambda path: f"ROENTGEN_{path.stem}.wilhelm")
    (inbox / "wilhelm-broken.zip").write_bytes(b"PK\x03\x04 ROENTGEN")
    clinic.take(tenant)
    clinic.work()
    clinic.settle(tenant)


@pytest.fixture
def busy(clinic_of: Callable[..., Clinic], tmp_path: Path) -> Clinic:
    """A clinic in which all kinds of things happened to a patient's studies."""
    clinic = clinic_of(pipelines=ALL_OUTPUTS.replace("outputs", "max_attempts = 2\noutputs"))
    send_everything(clinic, tmp_path / "sent")
    assert sorted(job.state for job in clinic.jobs()) == [
        JobState.DEAD,
        JobState.REJECTED,
        JobState.SUCCEEDED,
    ]
    assert sorted(entry.state for entry in clinic.entries()) == ["rejected", "rejected", "settled", "settled"]
    return clinic


def typed(clinic: Clinic) -> Iterable[str]:
    """Return all that the commands say of everything there is."""
    things = (
        [e.id for e in clinic.entries()] + [j.id for j in clinic.jobs()] + [j.subject for j in clinic.jobs()]
    )
    questions = [("job", "list"), ("job", "why"), *(("job", "why", thing) for thing in things)]
    questions += [("job", verb, job.id) for verb in ("show", "watch") for job in clinic.jobs()]
    questions += [("job", "why", name) for name in ("ROENTGEN^WILHELM.zip", "Roentgen", "wilhelm-broken.zip")]
    for question in questions:
        for answer in (
            clinic.type(*question),
            *([] if "watch" in question else [clinic.type(*question, "--json")]),
        ):
            assert answer.code in (0, 4, 6), question
            yield answer.out + answer.err


def found(words: Iterable[str], *texts: str) -> set[str]:
    """Return those of the words that are in a text, in any case."""
    text = "\n".join(texts).lower()
    return {word for word in words if word.lower() in text}


def test_a_file_name_is_nowhere_but_in_the_entry(busy: Clinic, capfd: pytest.CaptureFixture[str]) -> None:
    names = FILE_NAMES
    assert found(names, busy.ledger_columns().pop("entries.key")) == set(names)
    columns = busy.ledger_columns() | {"entries.key": ""}
    assert [name for name, text in columns.items() if found(names, text)] == []
    assert found(names, *busy.said) == set()
    assert found(names, *typed(busy)) == set()
    for path, data in files_below(busy.root).items():
        assert not found(names, path), path
        if not path.endswith(".zip") and not path.startswith("ledger.db"):
            assert not found(names, opened(path, data)), path
    written = capfd.readouterr()
    assert found(names, written.out, written.err) == set()


def opened(path: str, data: bytes) -> str:
    """Return a file's content as text, byte by byte."""
    return (gzip.decompress(data) if path.endswith(".gz") else data).decode("latin-1")


def test_a_patients_data_is_nowhere_but_in_dicom(busy: Clinic, capfd: pytest.CaptureFixture[str]) -> None:
    (read,) = (job for job in busy.jobs() if job.state is JobState.SUCCEEDED)
    columns = busy.ledger_columns()
    assert {name: found(WORDS, text) for name, text in columns.items() if found(WORDS, text)} == {}
    assert "(withheld)" in columns["decisions.attributes"]
    assert "(withheld)" in columns["decisions.reason"]
    assert found(WORDS, *busy.said) == set()
    assert found(WORDS, *typed(busy)) == set()
    told = files_below(busy.root)
    paths = [path for path in told if not path.endswith((".dcm", ".zip", ".db", "-wal", "-shm"))]
    paths = [path for path in paths if path.rpartition("/")[2].strip("0123456789")]  # kept as they were sent
    kinds = {path.rpartition("/")[2] for path in paths}
    assert kinds >= {"result.json", "entry.json", "reason.json", "manifest.json", "preview.png", "spleen.stl"}
    assert {
        path: found(WORDS, opened(path, told[path]))
        for path in paths
        if found(WORDS, opened(path, told[path]))
    } == {}
    for name in ("seg", "sr"):
        made = pydicom.dcmread(busy.place(read) / "dicom" / f"{name}.dcm")
        assert (made.PatientName, made.PatientID) == (PATIENT["PatientName"], PATIENT["PatientID"])
    written = capfd.readouterr()
    assert found(WORDS, written.out, written.err) == set()


def test_a_surprise_is_told_without_its_text(
    clinic: Clinic, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Libraries quote what they read; whatever they raise, the quote stays out of log and ledger."""

    class Quotes:
        """A runner that fails as a library does."""

        def run(self, task: Task, progress: Progress) -> Outcome:
            try:
                raise ValueError(f"invalid value {PATIENT['PatientName']!r}")
            except ValueError as exc:
                raise LookupError(PATIENT["PatientID"]) from exc

        def close(self) -> None:
            """Nothing to end."""

    zipped(patient(tmp_path / "study"), clinic.inbox() / "study.zip")
    clinic.take()
    clinic.work(clinic.worker(runner=Quotes()))
    (job,) = clinic.jobs()
    assert job.state is JobState.DEAD
    assert job.failure is not None
    assert "LookupError at test_path_privacy.py:" in job.failure.message
    written = capfd.readouterr()
    assert "test_path_privacy.py" in written.err
    texts = [*clinic.said, *clinic.ledger_columns().values(), written.out, written.err]
    assert found(WORDS, *texts) == set()


def test_a_model_sees_no_credentials(clinic: Clinic, tmp_path: Path) -> None:
    """The worker's environment holds seven; the model fails where it finds one."""
    study = nothing_bundle.write_study(tmp_path / "study", behaviour="needs_clean_environment")
    zipped(study.iterdir(), clinic.inbox() / "study.zip")
    clinic.read_all()
    assert clinic.job().state is JobState.SUCCEEDED, clinic.job().failure


def test_a_program_sees_no_credentials(clinic_of: Callable[..., Clinic], tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nenv > "$2/environment.txt"\n')
    program.chmod(0o755)
    clinic = clinic_of(
        pipelines=f"""
[[pipeline]]
name = "dump"
command = ["{program}", "{{input}}", "{{output}}"]

[[rule]]
name = "all"
pipeline = "dump"
"""
    )
    zipped(nothing_bundle.write_study(tmp_path / "study").iterdir(), clinic.inbox() / "study.zip")
    clinic.read_all()
    dumped = clinic.written(clinic.job())["environment.txt"].decode()
    names = {line.partition("=")[0] for line in dumped.splitlines()}
    assert {"PATH", "OMP_NUM_THREADS", "BEDSIDE_INPUT", "HOME"} <= names
    assert "credential" not in dumped
    secret = ("AWS_", "TOKEN", "SECRET", "PASS", "LEDGER", "SSH")
    assert [name for name in names if any(word in name for word in secret)] == []
    document = json.dumps(clinic.document(clinic.job()))
    assert "credential" not in document


#: Values that no library can read without a word about them.
BROKEN = {
    "PatientBirthDate": "Meitner7",
    "PatientAge": "LISE",
    "PatientSex": "MEITNER",
    "StudyDate": "18781107",
    "StudyTime": "Meitner",
    "PatientID": "LM-78-4711" * 20,
    "SeriesDate": "Lise1878",
    "BodyPartExamined": "ABDOMEN",
    "AccessionNumber": "ACC0815" * 9,
}


@pytest.mark.parametrize("charset", [b"ISO_IR 100", b"ISO_LISE_1"])
def test_values_that_cannot_be_read_are_not_quoted(
    clinic_of: Callable[..., Clinic], tmp_path: Path, capfd: pytest.CaptureFixture[str], charset: bytes
) -> None:
    rule = "PatientBirthDate < '19000101' or PatientID == '1' or Modality == 'CT'"
    clinic = clinic_of(pipelines=ALL_OUTPUTS.partition("when =")[0] + f'when = "{rule}"\n')
    study = patient(tmp_path / "study")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in study:
            assign(path, SpecificCharacterSet="ISO_IR 100", **BROKEN)
            path.write_bytes(path.read_bytes().replace(b"ISO_IR 100", charset))
    zipped(study, clinic.inbox() / "study.zip")
    capfd.readouterr()
    clinic.read_all()
    written = capfd.readouterr()
    job = clinic.job()
    assert job.state in {JobState.SUCCEEDED, JobState.REJECTED}, job.failure
    columns = clinic.ledger_columns()
    assert {name: text for name, text in columns.items() if found(WORDS, text)} == {}
    assert found(WORDS, *clinic.said, written.out, written.err) == set()


def test_a_reason_is_ids_numbers_and_our_own_words(
    clinic_of: Callable[..., Clinic], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """`reason.json` of a study whose header has a name where a code should be, and all that is told of it."""
    measured = tmp_path / "measured.log"
    told = f"""
[notify]
log = true
digest_s = 0

[metrics]
sink = "emf"
file = "{measured}"
"""
    clinic = clinic_of(pipelines=SPLEEN.replace("when = \"Modality == 'CT'\"\n", "") + told)
    study = patient(tmp_path / "study")
    for path in study:
        assign(path, PhotometricInterpretation="MEITNER LISE", BodyPartExamined="LISE")
    zipped(study, clinic.inbox() / "MEITNER^LISE 18781107.zip", named=lambda path: f"LISE/{path.name}")
    (clinic.inbox() / "Meitner.zip").write_bytes(b"PK\x03\x04 Meitner^Lise LM-78-4711")
    clinic.read_all()
    reasons = {
        path: json.loads(data)
        for path, data in files_below(clinic.root).items()
        if path.endswith("reason.json")
    }
    assert len(reasons) == 2
    for path, reason in reasons.items():
        assert set(reason) - {"hint"} == {
            "schema", "entry", "state", "reason", "files", *({"arrivals", "jobs"} if "jobs" in reason else ())
        }  # fmt: skip
        assert path.split("/")[1:] == ["rejected", reason["entry"], "reason.json"]
        for file in reason["files"]:
            assert re.fullmatch(r"\d{6}\.zip", file.pop("name"))
            assert re.fullmatch(r"[0-9a-f]+", file.pop("object"))
            assert set(file) == {"size_bytes"}
    said = {str(reason["jobs"][0]["reason"]) if reason.get("jobs") else str(reason["reason"])
            for reason in reasons.values()}  # fmt: skip
    assert any("photometric interpretation (unknown)" in each for each in said), said
    written = capfd.readouterr()
    texts = [*map(json.dumps, reasons.values()), *clinic.said, written.out, written.err]
    columns = clinic.ledger_columns() | {"entries.key": ""}
    numbers = measured.read_text()
    assert "notice" in "".join(clinic.said)
    assert "JobsRejected" in numbers or "jobs_rejected" in numbers, numbers[:400]
    texts += [clinic.type("job", *words, "--json").out for words in (["list"], ["show", clinic.job().id])]
    assert found(WORDS, *texts, numbers, *columns.values()) == set()
