"""Domain values that are kept as JSON: pipelines, failures, an arrival's files; to JSON and back.

Owns the field names of lasting records, so a rename here is a migration. Refuses what JSON cannot
hold (NaN included) before anything is written: PostgreSQL would refuse it later, SQLite would keep
it, and the two must not differ.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from bedside.domain.arrival import StoredFile
from bedside.domain.job import Failure
from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.errors import UsageError

#: What `json.loads` gives for an object.
Document = dict[str, Any]


def plain(value: Mapping[str, Any], what: str) -> Document:
    """Return a copy of a JSON object as it will be read back: tuples as lists, keys as strings.

    Args:
        value: JSON values.
        what: Its name, for the message.

    Raises:
        UsageError: It holds something that JSON cannot (NaN, infinities, other objects).
    """
    try:
        copy: Document = json.loads(json.dumps(dict(value), allow_nan=False))
    except (TypeError, ValueError) as exc:
        raise UsageError(f"{what}: not JSON values ({exc})") from exc
    return copy


def pipeline_to_json(pipeline: Pipeline) -> Document:
    """Return a pipeline as JSON values."""
    return {
        "name": pipeline.name,
        "max_attempts": pipeline.max_attempts,
        "stages": [_stage_to_json(stage) for stage in pipeline.stages],
    }


def pipeline_from_json(document: Document) -> Pipeline:
    """Return the pipeline that `pipeline_to_json` wrote."""
    return Pipeline(
        name=document["name"],
        max_attempts=document["max_attempts"],
        stages=tuple(_stage_from_json(stage) for stage in document["stages"]),
    )


def _stage_to_json(stage: Stage) -> Document:
    return {
        "name": stage.name,
        "kind": stage.kind.value,
        "pool": stage.pool,
        "release": stage.release,
        "command": list(stage.command),
        "settings": plain(stage.settings, f"settings of stage {stage.name}"),
        "timeout_s": stage.timeout_s,
    }


def _stage_from_json(document: Document) -> Stage:
    return Stage(
        name=document["name"],
        kind=StageKind(document["kind"]),
        pool=document["pool"],
        release=document["release"],
        command=tuple(document["command"]),
        settings=document["settings"],
        timeout_s=document["timeout_s"],
    )


def failure_to_json(failure: Failure) -> Document:
    """Return a failure as JSON values."""
    return {"error": failure.error, "message": failure.message, "hint": failure.hint}


def failure_from_json(document: Document) -> Failure:
    """Return the failure that `failure_to_json` wrote."""
    return Failure(error=document["error"], message=document["message"], hint=document["hint"])


def files_to_json(files: Iterable[StoredFile]) -> list[list[str | int]]:
    """Return an arrival's files as rows [SOP Instance UID, sha256, size, suffix]; studies have many."""
    return [[f.sop_instance_uid, f.sha256, f.size_bytes, f.suffix] for f in files]


def files_from_json(rows: Iterable[Any]) -> tuple[StoredFile, ...]:
    """Return the files that `files_to_json` wrote."""
    return tuple(
        StoredFile(sop_instance_uid=uid, sha256=sha256, size_bytes=size, suffix=suffix)
        for uid, sha256, size, suffix in rows
    )
