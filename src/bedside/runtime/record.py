"""What a finished run says of itself: its files listed, its report composed, ``result.json``'s bytes.

Owns the shape of ``result.json``, for a job of the queue, for ``bedside run`` and for the application
inside a MAP alike: whoever reads results cannot tell them apart. Writes nothing; where the bytes go,
and in which order, is the caller's.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bedside.domain.job import Job
from bedside.domain.request import RunRequest
from bedside.errors import ModelFailed

#: Version of the shape of ``result.json``.
SCHEMA = "bedside.result/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a stage took of a machine whose price is known.

    Attributes:
        machine: Kind of machine, e.g. ``g4dn.xlarge``.
        usd_per_h: What an hour of it costs.
        seconds: From the begin of the attempt, fetching of the input included, until its delivery.
    """

    machine: str
    usd_per_h: float
    seconds: float

    @property
    def usd(self) -> float:
        """What these seconds cost."""
        return self.seconds / 3600 * self.usd_per_h


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """What one stage of a job said and how long it took.

    Attributes:
        name: The stage's name.
        release: The digest of its bundle, or ``""``.
        report: The runner's report, JSON values.
        timings_s: Wall seconds per step.
        spent: Of a machine, or None where its kind and price are not known.
    """

    name: str
    release: str
    report: Mapping[str, Any]
    timings_s: Mapping[str, float]
    spent: Spent | None = None

    def to_json(self) -> dict[str, object]:
        """Return it as JSON values."""
        value: dict[str, object] = {
            "name": self.name,
            "release": self.release,
            "report": dict(self.report),
            "timings_s": dict(self.timings_s),
        }
        return value if self.spent is None else {**value, "spent": asdict(self.spent)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "StageReport":
        """Return what `to_json` gave."""
        spent = value.get("spent")
        return cls(
            name=value["name"],
            release=value["release"],
            report=value["report"],
            timings_s=value["timings_s"],
            spent=None if spent is None else Spent(**spent),
        )


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
    for path in regular_files(folder):
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
    tail: dict[str, object] = {
        "files": list(files),
        "timings_s": {stage.name: dict(stage.timings_s) for stage in stages},
        "gpu_s": round(sum(gpu_seconds(stage.report, stage.timings_s) for stage in stages), 3),
        "stages": [stage.to_json() for stage in stages[:-1]],
    }
    if compute := _compute(stages):
        tail["compute"] = compute
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


def regular_files(folder: Path) -> Iterator[Path]:
    """Yield the files of an output folder, sorted.

    Raises:
        ModelFailed: There is a link or another special file, which could bring in any file.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ModelFailed("output: a stage wrote a link or a special file; only files are taken")
        if path.is_file():
            yield path


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
        "role": job.role.value,
        "arrival_id": job.arrival_id,
        "arrival_version": job.arrival_version,
        "subject": job.subject,
        "attempt": job.attempts,
        "worker": job.worker,
    }


def _compute(stages: Sequence[StageReport]) -> dict[str, object]:
    """Return what the stages on machines of a known price took; empty where there are none.

    The machine and its price are the last one's, the seconds and USD are those of all of them.
    """
    priced = [stage for stage in stages if stage.spent is not None]
    spent = [stage.spent for stage in priced if stage.spent is not None]
    if not spent:
        return {}
    return {
        "machine": spent[-1].machine,
        "price_usd_per_hour": spent[-1].usd_per_h,
        "seconds": round(sum(each.seconds for each in spent), 3),
        "gpu_s": round(sum(gpu_seconds(stage.report, stage.timings_s) for stage in priced), 3),
        "usd": round(sum(each.usd for each in spent), 8),
    }


def gpu_seconds(report: Mapping[str, Any], timings_s: Mapping[str, float]) -> float:
    """Return how long a stage held a GPU: all of its run, since nothing else could use it meanwhile."""
    notes = report.get("notes")
    device = str(notes.get("device", "")) if isinstance(notes, Mapping) else ""
    return float(timings_s.get("run", 0.0)) if device.startswith("cuda") else 0.0


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
