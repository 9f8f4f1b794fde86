"""Rules tried on one study, as text, and replayed over past studies."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from bedside.adapters.memory.blobs import MemoryBlobStore
from bedside.adapters.memory.clock import ManualClock
from bedside.adapters.memory.figures import MemoryFigures
from bedside.adapters.memory.ledger import MemoryLedger
from bedside.config import PipelineSettings, RuleSettings
from bedside.dicom.attributes import series_attributes
from bedside.domain.arrival import Arrival, ArrivalKind, StoredFile, arrival_id
from bedside.errors import ConfigError, InputRejected, NotFound, UsageError
from bedside.operate import past
from bedside.operate.replay import Change, Line, Replayer, Span, as_csv, totals
from bedside.operate.ruletext import read_rules, rulebook, rules_text
from bedside.operate.tasks import AT_ONCE, ReplayTasks, TaskState
from bedside.operate.tester import file_attributes, try_rules, written_attributes
from dicom_samples import assign, series

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PIPELINES = (
    PipelineSettings(name="spleen", command=("true",)),
    PipelineSettings(name="liver", command=("true",)),
)
CT = RuleSettings(name="ct", pipeline="spleen", when="Modality == 'CT' and SliceThickness <= 5", priority=2)
MR = RuleSettings(name="mr", pipeline="spleen", when="Modality == 'MR'")
EVERY = RuleSettings(name="every", pipeline="spleen")


# One study


def test_every_clause_says_what_it_met() -> None:
    written = (
        "Modality = CT\nSliceThickness = 7.5\nPatientID: 4711\n# a remark\n\nImageType = ORIGINAL\\PRIMARY\n"
    )
    rule = RuleSettings(
        name="r",
        pipeline="spleen",
        when="Modality == 'CT' and not (SliceThickness <= 5 or PatientID == '4711')",
        requires=("ImageType contains 'PRIMARY'", "exists BodyPartExamined"),
    )
    (verdict,) = try_rules(rulebook((rule,), PIPELINES), written_attributes(written), NOW)
    assert not verdict.matched and "PatientID == '4711' is true: it is (withheld)" in verdict.reason
    when, contains, exists = verdict.conditions
    assert [(c.key, c.matched) for c in verdict.conditions] == [
        ("when", False),
        ("requires", True),
        ("requires", False),
    ]
    assert [(c.clause, c.matched, c.found) for c in when.series[0].clauses] == [
        ("Modality == 'CT'", True, "'CT'"),
        ("SliceThickness <= 5", False, "7.5"),
        ("PatientID == '4711'", True, "(withheld)"),
    ]
    assert contains.series[0].clauses[0].found == "['ORIGINAL', 'PRIMARY']"
    assert exists.series[0].clauses[0].found == ""
    assert "4711" not in repr(verdict.conditions[0].series).replace("'4711'", "")


def test_a_rule_of_a_higher_priority_starts_the_pipeline() -> None:
    found = try_rules(
        rulebook((EVERY, CT), PIPELINES), written_attributes("Modality=CT\nSliceThickness=0"), NOW
    )
    assert [(v.rule.name, v.matched, v.overruled_by) for v in found] == [
        ("every", True, "ct"),
        ("ct", True, ""),
    ]
    assert found[1].conditions[0].series[0].clauses[1].found == "0"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Modality", "line 1: expected KEYWORD = VALUE"),
        ("", "0 attributes"),
        ("Modallity = CT", "'Modallity' is no DICOM attribute; did you mean 'Modality'"),
        ("SliceThickness = thin", r"SliceThickness \(DS\) is a number"),
        ("PixelData = 1", "PixelData .* holds nothing to compare"),
    ],
)
def test_what_cannot_be_an_attribute_is_refused(text: str, told: str) -> None:
    with pytest.raises((UsageError, ConfigError), match=told):
        written_attributes(text)


def test_a_file_is_read_in_memory_as_intake_reads_it(tmp_path: Path) -> None:
    path = series(tmp_path)[0]
    found = file_attributes(path.read_bytes())
    assert found == series_attributes([path])
    with pytest.raises(InputRejected, match="file of 5 bytes: no DICOM instance") as refused:
        file_attributes(b"hello")
    assert "DICOMDIR" in refused.value.hint


# As text


def test_rules_written_are_rules_read() -> None:
    odd = RuleSettings(name='a "b" \\ é \x7f', pipeline="liver", requires=("Modality == 'CT'", "true"))
    assert read_rules(rules_text((CT, MR, EVERY, odd))) == (CT, MR, EVERY, odd)
    assert read_rules("") == ()
    assert read_rules('[system]\nroot = "x"\n\n' + rules_text((CT,))) == (CT,)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[rule]", "not TOML"),
        ("[rule]\nname = 'a'", r"no \[\[rule\]\]"),
        ("[[rul]]\nname = 'a'", r"no \[\[rule\]\]"),
        ("[[rule]]\nname = 'a'", "rule 1: pipeline: Field required"),
        ("[[rule]]\nname = 'a'\npipeline = 'p'\nwhn = ''", "rule 1: whn: Extra inputs"),
        ("[[rule]]\nname = 'a'\npipeline = 'p'\npriority = '1'", "rule 1: priority"),
        ("x" * 100_001, "at most 100000"),
    ],
)
def test_a_text_that_is_no_rules_says_where(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_rules(text)


def test_rules_are_checked_against_pipelines_and_dictionary() -> None:
    with pytest.raises(ConfigError, match="there is no pipeline 'heart'; configured: liver, spleen"):
        rulebook((replace_rule(CT, pipeline="heart"),), PIPELINES)
    with pytest.raises(ConfigError, match="did you mean 'Modality'"):
        rulebook((replace_rule(CT, when="Modallity == 'CT'"),), PIPELINES)
    with pytest.raises(ConfigError, match="two of this name"):
        rulebook((CT, CT), PIPELINES)


def replace_rule(rule: RuleSettings, **values: object) -> RuleSettings:
    return rule.model_copy(update=values)


# Past studies


class Clinic:
    """A store and a ledger with some studies that arrived."""

    def __init__(self, folder: Path) -> None:
        self.ledger = MemoryLedger()
        self.blobs = MemoryBlobStore("ward")
        self.clock = ManualClock(NOW)
        self.folder = folder
        self.replayer = Replayer(
            ledger=self.ledger,
            figures=MemoryFigures(self.ledger),
            blobs=self.blobs,
            clock=self.clock,
            scratch=folder / "scratch",
        )

    def add(self, modality: str, thickness: float, **more: object) -> Arrival:
        """Let a study of two instances arrive."""
        place = self.folder / f"study-{modality}-{thickness}"
        paths = [assign(p, Modality=modality, SliceThickness=thickness, **more) for p in series(place)[:2]]
        files = []
        for path in paths:
            content = path.read_bytes()
            file = StoredFile(
                sop_instance_uid=path.stem, sha256=sha256(content).hexdigest(), size_bytes=len(content)
            )
            self.blobs.tenant("ward").put(file.key, content)
            files.append(file)
        arrival = Arrival(
            tenant="ward",
            id=arrival_id(files),
            kind=ArrivalKind.DICOM,
            subject=f"1.2.{modality}.{thickness}",
            version=0,
            files=tuple(sorted(files)),
            received_at=self.clock.now(),
        )
        return self.ledger.add_arrival(arrival)

    def replay(self, after: tuple[RuleSettings, ...]) -> list[Line]:
        studies = self.replayer.studies(None, Span(limit=10))
        books = rulebook((CT,), PIPELINES), rulebook(after, PIPELINES)
        return list(self.replayer.compare(studies, *books))


def test_a_replay_tells_the_difference(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    thick, thin, mr = clinic.add("CT", 7.5), clinic.add("CT", 1.5), clinic.add("MR", 2)
    gone = clinic.add("CT", 3)
    clinic.blobs.tenant("ward").delete(gone.files[0].key)
    changed = (
        replace_rule(CT, when="Modality == 'CT' and SliceThickness > 2"),
        replace_rule(MR, pipeline="liver"),
    )
    lines = clinic.replay(changed)
    assert [(line.arrival.id, line.pipeline, line.change) for line in lines] == [
        (gone.id, "", Change.UNREAD),
        (mr.id, "liver", Change.NEWLY),
        (thin.id, "spleen", Change.NO_LONGER),
        (thick.id, "spleen", Change.NEWLY),
    ]
    assert [line.change for line in clinic.replay((CT,))][1:] == [Change.NOTHING, Change.SAME, Change.NOTHING]
    counted = totals(lines)
    assert counted[Change.NEWLY] == 2 and counted[Change.SAME] == 0 and sum(counted.values()) == 4
    head, *rows = as_csv(lines).splitlines()
    assert head == "tenant,arrival,version,received_at,pipeline,change,reason"
    assert rows[1] == f"ward,{mr.id},1,2026-03-01T00:00:00+00:00,liver,newly,"
    assert rows[0].endswith("unread,its files are not in the store any more")
    assert not list((tmp_path / "scratch").iterdir())


def test_a_study_is_read_by_the_beginnings_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic = Clinic(tmp_path)
    arrival = clinic.add("CT", 1.5, ImageComments="x" * 3000)
    store = clinic.blobs.tenant("ward")
    whole = past.study_attributes(store, arrival, tmp_path / "scratch")
    assert len(whole) == 1 and next(iter(whole.values()))["NumberOfSeriesRelatedInstances"] == 2
    fetched: list[str] = []
    monkeypatch.setattr(
        store, "fetch", lambda key, path: (fetched.append(key), path.write_bytes(store.get(key)))
    )
    monkeypatch.setattr(past, "HEAD_BYTES", arrival.files[0].size_bytes - 50)  # in the pixels
    assert past.study_attributes(store, arrival, tmp_path / "scratch") == whole
    assert fetched == []
    monkeypatch.setattr(past, "HEAD_BYTES", 2048)  # in the middle of the header
    assert past.study_attributes(store, arrival, tmp_path / "scratch") == whole
    assert len(fetched) == 2


@pytest.mark.parametrize(("limit", "days"), [(0, None), (2001, None), (1, 0.0), (1, float("nan"))])
def test_a_replay_is_bounded(limit: int, days: float | None) -> None:
    with pytest.raises(UsageError, match="replay"):
        Span(limit=limit, days=days)


def test_a_replay_runs_aside_and_is_its_owners(tmp_path: Path) -> None:
    import threading

    tasks, go_on = ReplayTasks(), threading.Event()
    clinic = Clinic(tmp_path)
    clinic.add("CT", 1.5)
    line = clinic.replay((CT,))[0]

    def work(tell):  # type: ignore[no-untyped-def]
        for done in range(1, 100):
            yield line
            tell(done)
            go_on.wait(5)

    running = [tasks.begin(work, owner="ada", total=99, now=NOW, rules_text="") for _ in range(AT_ONCE)]
    with pytest.raises(UsageError, match="2 replays run already"):
        tasks.begin(work, owner="bob", total=1, now=NOW, rules_text="")
    with pytest.raises(NotFound):
        tasks.find(running[0].id, "bob")
    assert tasks.find(running[0].id, "ada") is running[0] and len(tasks.of("ada")) == 2
    running[0].stop()
    go_on.set()
    for task in running:
        ended(task)
    assert (running[0].state, running[1].state) == (TaskState.STOPPED, TaskState.DONE)
    assert running[1].done == len(running[1].lines) == 99

    def fails(_tell):  # type: ignore[no-untyped-def]
        raise ValueError("DOE^JANE")
        yield line

    task = tasks.begin(fails, owner="ada", total=1, now=NOW, rules_text="")
    ended(task)
    assert (task.state, task.problem) == (TaskState.FAILED, "unexpected ValueError")


def ended(task) -> None:  # type: ignore[no-untyped-def]
    import time

    until = time.monotonic() + 10
    while task.state is TaskState.RUNNING and time.monotonic() < until:
        time.sleep(0.01)
    assert task.state is not TaskState.RUNNING
