"""From an output folder to a result that exists: files first, ``result.json`` last, then the ledger.

Owns the order of writing, which is what makes a crash harmless: until ``result.json`` is there a
result does not exist, and what an earlier attempt left is removed before anything is written. The
lease is confirmed before an old file goes and before the last new one comes; the ledger refuses the
rest under a lease that was lost.
"""

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from time import perf_counter

from bedside.domain.figures import DELIVER
from bedside.domain.job import Job
from bedside.domain.phantom import is_phantom
from bedside.domain.pipeline import Stage
from bedside.domain.release import Role
from bedside.domain.request import RunRequest
from bedside.domain.result import RESULT_FILE, Result
from bedside.errors import ModelFailed
from bedside.ports import BlobStore, Ledger, Outcome
from bedside.runtime.record import (
    Spent,
    StageReport,
    compose_result,
    list_files,
    regular_files,
    result_bytes,
)
from bedside.worker.heartbeat import Heartbeat

#: Written last under a stage's prefix: its report, for the final ``result.json``.
STAGE_FILE = "stage.json"

#: Keys of a report that lists show, and that the ledger keeps.
SUMMARY_KEYS = ("measurements", "numbers", "compute")


def stage_prefix(job: Job, stage: Stage) -> str:
    """Return the blob prefix of what a stage leaves for the next one."""
    return f"work/{job.id}/{stage.name}"


def hand_on(
    job: Job,
    outcome: Outcome,
    *,
    output: Path,
    blobs: BlobStore,
    ledger: Ledger,
    heartbeat: Heartbeat,
    now: datetime,
    spent: Spent | None = None,
) -> Job:
    """Keep a stage's output for the next one and move the job to its queue."""
    prefix = stage_prefix(job, job.stage)
    report = _report(job, outcome, spent)
    result_bytes(report.to_json())  # what cannot be said is refused before anything is cleared away
    began = perf_counter()
    _clear(blobs, prefix, STAGE_FILE, heartbeat)
    blobs.put_files(
        {f"{prefix}/output/{path.relative_to(output).as_posix()}": path for path in regular_files(output)}
    )
    lease = heartbeat.confirm()
    report = replace(report, timings_s={**report.timings_s, DELIVER: _since(began)})
    blobs.put(f"{prefix}/{STAGE_FILE}", result_bytes(report.to_json()))
    return ledger.advance(lease, now=now)


def deliver(
    job: Job,
    outcome: Outcome,
    *,
    request: RunRequest,
    output: Path,
    blobs: BlobStore,
    ledger: Ledger,
    heartbeat: Heartbeat,
    now: datetime,
    spent: Spent | None = None,
    archive: bool = False,
) -> Result:
    """Write a job's result, and record it; with ``archive`` to be archived, unless a shadow's or a phantom's.

    Raises:
        StaleLease: The lease was lost; there is no result by this call.
    """
    last = _report(job, outcome, spent)
    files = list_files(output, outcome.report)
    content = compose_result(
        request=request,
        stages=[*_earlier(job, blobs), last],
        files=files,
        created_at=now,
        job=job,
    )
    began = perf_counter()
    phantom = is_phantom(job.subject)
    written = result_bytes({**content, "phantom": True} if phantom else content)
    if any(file["path"] == RESULT_FILE for file in files):
        raise ModelFailed(f"output: a stage wrote {RESULT_FILE}, whose presence means a finished result")
    _clear(blobs, job.prefix, RESULT_FILE, heartbeat)
    blobs.put_files({f"{job.prefix}/{file['path']}": output / str(file["path"]) for file in files})
    lease = heartbeat.confirm()
    blobs.put(f"{job.prefix}/{RESULT_FILE}", written)
    result = Result(
        tenant=job.tenant,
        job_id=job.id,
        arrival_id=job.arrival_id,
        prefix=job.prefix,
        summary={
            **{name: content[name] for name in SUMMARY_KEYS if name in content},
            "files": len(files),
            # The last stage's delivery ends with result.json itself, so that only the ledger has its time.
            "timings_s": _with_delivery(content["timings_s"], last.name, _since(began)),
        },
        created_at=now,
    )
    ledger.complete(lease, result, now=now, archive=archive and not phantom and job.role is not Role.SHADOW)
    return result


def _with_delivery(timings_s: object, stage: str, seconds: float) -> dict[str, object]:
    assert isinstance(timings_s, dict)
    return {**timings_s, stage: {**timings_s[stage], DELIVER: seconds}}


def _since(began: float) -> float:
    return round(perf_counter() - began, 4)


def forget_stages(job_id: str, blobs: BlobStore) -> None:
    """Remove what the stages of an ended job left for one another."""
    for blob in list(blobs.list(f"work/{job_id}/")):
        blobs.delete(blob.key)


def _clear(blobs: BlobStore, prefix: str, mark: str, heartbeat: Heartbeat) -> None:
    """Remove what an earlier attempt left, its mark of completeness first.

    Raises:
        StaleLease: The lease was lost: this may be a later attempt's finished result.
    """
    left = [blob.key for blob in blobs.list(f"{prefix}/")]
    if left:
        heartbeat.confirm()  # a worker that stood still must not clear away what another wrote meanwhile
        blobs.delete(f"{prefix}/{mark}")
        for key in left:
            blobs.delete(key)


def _earlier(job: Job, blobs: BlobStore) -> list[StageReport]:
    """Return the reports of the stages before the one a job is at."""
    reports = []
    for stage in job.pipeline.stages[: job.stage_index]:
        value = json.loads(blobs.get(f"{stage_prefix(job, stage)}/{STAGE_FILE}"))
        reports.append(StageReport.from_json(value))
    return reports


def _report(job: Job, outcome: Outcome, spent: Spent | None) -> StageReport:
    return StageReport(
        name=job.stage.name,
        release=job.stage.release,
        report=outcome.report,
        timings_s=outcome.timings_s,
        spent=spent,
    )
