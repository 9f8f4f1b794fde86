"""Everything that a study's path measures, each turn of it taken once, for tests."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bedside.adapters.aws.emf import emf_line
from bedside.domain.arrival import Entry, EntryState
from bedside.domain.export import Export, ExportState
from bedside.domain.job import Failure, Job, JobState
from bedside.domain.measure import Measurement
from bedside.domain.notice import Notice
from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.domain.release import How, Promotion
from bedside.ports import Outcome
from bedside.worker.observe import Observer

T0 = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
RELEASE = "sha256:" + "ab" * 32
JOB = Job(
    tenant="ward",
    id="3f2a81c0",
    identity="3f2a81c0",
    run=0,
    arrival_id="aa11",
    subject="1.2.3",
    arrival_version=0,
    pipeline=Pipeline(
        name="spleen", stages=(Stage(name="infer", kind=StageKind.BUNDLE, release=RELEASE, pool="gpu"),)
    ),
    rule="all",
    worker="node-7-ab",
    not_before=T0,
    created_at=T0,
)
OUTCOME = Outcome(report={"notes": {"device": "cuda:0"}}, timings_s={"run": 6.0, "load": 3.0})
FAILURE = Failure(error="ModelFailed", message="model: NaN")
ENTRY = Entry(
    tenant="ward",
    id="cc33",
    key="Müller, Anna.zip",
    fingerprint="1",
    state=EntryState.TAKEN,
    arrivals=("aa11", "aa22"),
    reason="",
    seen_at=T0,
)
EXPORT = Export(
    tenant="ward",
    job_id=JOB.id,
    prefix="results/aa11/3f2a81c0/dicom",
    not_before=T0,
    created_at=T0,
    changed_at=T0,
)
PROMOTION = Promotion(
    pipeline="spleen", stage="infer", digest=RELEASE, by="anna", reason="thin slices", at=T0
)


class Heard:
    """Keeps what an observer tells and measures."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.measurements: list[Measurement] = []
        self.observer = Observer(tell=self.notices.append, metrics=self)

    def record(self, measurement: Measurement) -> None:
        self.measurements.append(measurement)

    def close(self) -> None:
        """Nothing to give back."""


def every_turn() -> Heard:
    """Return what is heard of one job of each fate, of drop-box, receiver, archive and releases."""
    heard = Heard()
    on = heard.observer
    on.taken(ENTRY)
    on.rejected(ENTRY)
    on.leased(JOB, T0 + timedelta(seconds=40))
    on.stage_ended(JOB, OUTCOME, 10.0, last=True)
    for state in (JobState.QUEUED, JobState.REJECTED, JobState.DEAD):
        on.attempt_failed(replace(JOB, state=state), FAILURE)
    on.workers_gone([replace(JOB, failure=FAILURE)])
    for export_state in (ExportState.STORED, ExportState.FAILED):
        on.exported(replace(EXPORT, state=export_state))
    on.association_ended(instances=200, size_bytes=105_000_000, refused=1)
    on.sender_refused()
    on.promoted(PROMOTION)
    on.promoted(replace(PROMOTION, how=How.ROLLBACK))
    return heard


def dimensions() -> dict[str, set[tuple[str, ...]]]:
    """Return, per metric, the sets of dimensions under which CloudWatch gets it."""
    found: dict[str, set[tuple[str, ...]]] = {}
    for measurement in every_turn().measurements:
        document = json.loads(emf_line(measurement, deployment="ward", at=T0))
        for directive in document["_aws"]["CloudWatchMetrics"]:
            for metric in directive["Metrics"]:
                found.setdefault(metric["Name"], set()).update(map(tuple, directive["Dimensions"]))
    return found
