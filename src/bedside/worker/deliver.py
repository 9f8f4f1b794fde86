"""From an output folder to a result that exists: files first, ``result.json`` last, then the ledger.

Owns the order of writing, which is what makes a crash harmless: until ``result.json`` is there a
result does not exist, and what an earlier attempt left is removed before anything is written. The
lease is confirmed before an old file goes and before the last new one comes; the ledger refuses the
rest under a lease that was lost.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bedside.domain.job import Job
from bedside.domain.pipeline import Stage
from bedside.domain.request import RunRequest
from bedside.domain.result import RESULT_FILE, Result
from bedside.errors import ModelFailed
from bedside.ports import BlobStore, Ledger, Outcome
from bedside.worker.heartbeat import Heartbeat

#: Written last under a stage's prefix: its report, for the final ``result.json``.
STAGE_FILE = "stage.json"

#: Version of the shape of ``result.json``.
SCHEMA = "bedside.result/1"

#: Keys of a report that lists show, and that the ledger keeps.
SUMMARY_KEYS = ("measurements", "numbers")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """What one stage of a job said and how long it took.

    Attributes:
        name: The stage's name.
        release: The digest of its bundle, or ``""``.
        report: The runner's report, JSON values.
        timings_s: Wall seconds per step.
    """

    name: str
    release: str
    report: Mapping[str, Any]
    timings_s: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        return {
            "name": self.name,
            "release": self.release,
            "report": dict(self.report),
            "timings_s": dict(self.timings_s),
        }


def stage_prefix(job: Job, stage: Stage) -> str:
    """Return the blob prefix of what a stage leaves for the next one."""
    return f"work/{job.id}/{stage.name}"


def list_files(folder: Path, known: Mapping[str, Any]) -> list[dict[str, object]]:
    """Return the files of an output folder for ``result.json``: path, hash, length, what is known more.

    Args:
        folder: Searched at any depth.
        known: A report; what its ``files`` say of a path is kept (SOP Instance UID, hash).

    Raises:
        ModelFailed: There is a link or another special file, which could bring in any file.
    """
    said = {str(entry["path"]): entry for entry in known.get("files", ()) if "path" in entry}
    listed: list[dict[str, object]] = []
    for path in _regular_files(folder):
        name = path.relative_to(folder).as_posix()
        more = said.get(name, {})
        listed.append(
            {
                **more,
                "path": name,
                "sha256": more.get("sha256") or _sha256(path),
                "size_bytes": path.stat().st_size,
            }
        )
    return listed


def compose_result(
    *,
    request: RunRequest,
    stages: Sequence[StageReport],
    files: Sequence[Mapping[str, object]],
    created_at: datetime,
    job: Job | None = None,
) -> dict[str, object]:
    """Return the content of ``result.json``.

    Args:
        request: Of the last stage.
        stages: All stages, in order; the last one's report stands at the top, and replaces nothing there.
        files: As `list_files` gives them.
        created_at: When, UTC.
        job: The job, or None for a run without a queue.
    """
    last = stages[-1]
    head = {
        "schema": SCHEMA,
        "created_at": created_at.isoformat(),
        "job": _job_part(request, job),
        "release": {
            "digest": request.release,
            "name": request.release_name,
            "version": request.release_version,
        },
    }
    tail = {
        "files": list(files),
        "timings_s": {stage.name: dict(stage.timings_s) for stage in stages},
        "gpu_s": round(sum(_gpu_seconds(stage) for stage in stages), 3),
        "stages": [stage.to_json() for stage in stages[:-1]],
    }
    said = {name: value for name, value in last.report.items() if name not in head and name not in tail}
    return {**head, **said, **tail}


def result_bytes(content: Mapping[str, object]) -> bytes:
    """Return ``result.json``'s bytes: JSON that a person can read.

    Raises:
        ModelFailed: A report holds what JSON cannot.
    """
    try:
        return (json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()
    except (TypeError, ValueError) as exc:
        raise ModelFailed("result.json: the report holds what JSON cannot") from exc


def hand_on(
    job: Job,
    outcome: Outcome,
    *,
    output: Path,
    blobs: BlobStore,
    ledger: Ledger,
    heartbeat: Heartbeat,
    now: datetime,
) -> Job:
    """Keep a stage's output for the next one and move the job to its queue."""
    prefix = stage_prefix(job, job.stage)
    report = StageReport(
        name=job.stage.name, release=job.stage.release, report=outcome.report, timings_s=outcome.timings_s
    )
    content = result_bytes(report.to_json())
    _clear(blobs, prefix, STAGE_FILE, heartbeat)
    blobs.put_files(
        {f"{prefix}/output/{path.relative_to(output).as_posix()}": path for path in _regular_files(output)}
    )
    lease = heartbeat.confirm()
    blobs.put(f"{prefix}/{STAGE_FILE}", content)
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
) -> Result:
    """Write a job's result, and record it.

    Raises:
        StaleLease: The lease was lost; there is no result by this call.
    """
    last = StageReport(
        name=job.stage.name, release=job.stage.release, report=outcome.report, timings_s=outcome.timings_s
    )
    files = list_files(output, outcome.report)
    content = compose_result(
        request=request,
        stages=[*_earlier(job, blobs), last],
        files=files,
        created_at=now,
        job=job,
    )
    written = result_bytes(content)
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
        summary={name: content[name] for name in SUMMARY_KEYS if name in content} | {"files": len(files)},
        created_at=now,
    )
    ledger.complete(lease, result, now=now)
    return result


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
        reports.append(
            StageReport(
                name=value["name"],
                release=value["release"],
                report=value["report"],
                timings_s=value["timings_s"],
            )
        )
    return reports


def _job_part(request: RunRequest, job: Job | None) -> dict[str, object]:
    if job is None:
        return {"identity": request.job_identity, "arrival_id": request.arrival_id}
    return {
        "id": job.id,
        "identity": job.identity,
        "run": job.run,
        "tenant": job.tenant,
        "pipeline": job.pipeline.name,
        "pipeline_version": job.pipeline.version,
        "rule": job.rule,
        "arrival_id": job.arrival_id,
        "arrival_version": job.arrival_version,
        "subject": job.subject,
        "attempt": job.attempts,
        "worker": job.worker,
    }


def _gpu_seconds(stage: StageReport) -> float:
    """Return how long a stage held a GPU: all of its run, since nothing else could use it meanwhile."""
    notes = stage.report.get("notes")
    device = str(notes.get("device", "")) if isinstance(notes, Mapping) else ""
    return float(stage.timings_s.get("run", 0.0)) if device.startswith("cuda") else 0.0


def _regular_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ModelFailed("output: a stage wrote a link or a special file; only files are taken")
        if path.is_file():
            yield path


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
