"""A result's ``result.json`` as values, whoever wrote it.

Owns what is taken from it, and that what a stranger's program left out or wrote otherwise is a gap and not
an error: a page shows what there is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from bedside.domain.acceptance import Fit
from bedside.domain.result import RESULT_FILE, Result
from bedside.errors import ErrorCode, NotFound, told
from bedside.ports import BlobStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """One file of a result.

    Attributes:
        path: Below the result's prefix.
        sha256: 64 hex digits.
        size_bytes: Its length.
        sop_instance_uid: Of DICOM, or empty.
    """

    path: str
    sha256: str
    size_bytes: int
    sop_instance_uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of one label; None where it was not.

    Attributes:
        label: Its name.
        volume_ml: Of all its voxels.
        max_diameter_mm: Longest distance between two of its voxels.
        mean: Of the values in it.
        deviation: Of the values in it.
        unit: Of the values.
        voxels: How many.
    """

    label: str
    volume_ml: float | None
    max_diameter_mm: float | None
    mean: float | None
    deviation: float | None
    unit: str
    voxels: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDecision:
    """A series of the study, and whether the model read it.

    Attributes:
        uid: Series Instance UID.
        taken: Whether the model read it.
        reason: Why or why not, in English.
        fit: What decided; None where whoever wrote it does not say.
    """

    uid: str
    taken: bool
    reason: str
    fit: Fit | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTime:
    """How long a stage took, seconds per step."""

    name: str
    steps: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultDocument:
    """What a result says of itself.

    Attributes:
        content: The whole, JSON values.
        release_name: Of the release that wrote it.
        release_version: As above.
        release_digest: As above.
        files: All but ``result.json``.
        measured: One per label.
        numbers: Named outputs.
        series: All series of the study.
        left_aside: How many files were left aside, by reason.
        series_uid: Of the series that was read, or empty.
        sop_instance_uids: Of its instances.
        stages: Timings.
        gpu_s: Seconds on a GPU.
        machine: Kind of machine, or empty.
        usd: What it cost, or None where no price is known.
        notes: How it was computed: device, engine, precision, …
        versions: Of software.
        phantom: Whether no patient is behind it.
    """

    content: Mapping[str, Any]
    release_name: str
    release_version: str
    release_digest: str
    files: Sequence[ResultFile]
    measured: Sequence[Measured]
    numbers: Mapping[str, float | None]
    series: Sequence[SeriesDecision]
    left_aside: Mapping[str, int]
    series_uid: str
    sop_instance_uids: Sequence[str]
    stages: Sequence[StageTime]
    gpu_s: float
    machine: str
    usd: float | None
    notes: Mapping[str, str]
    versions: Mapping[str, str]
    phantom: bool

    @property
    def preview(self) -> ResultFile | None:
        """The picture to show at once."""
        return next((file for file in self.files if file.path == "preview.png"), None)

    @property
    def surfaces(self) -> Sequence[ResultFile]:
        """Surfaces in patient space, LPS millimetres."""
        return [f for f in self.files if f.path.startswith("surfaces/") and f.path.endswith(".stl")]

    def file(self, path: str) -> ResultFile | None:
        """Return one of the files by its path, or None where the result has no such file."""
        return next((file for file in self.files if file.path == path), None)


def read_document(store: BlobStore, result: Result) -> ResultDocument:
    """Read what a result says of itself.

    Args:
        store: The tenant's objects.
        result: As the ledger knows it.

    Raises:
        NotFound: Its files are not in the store any more.
    """
    try:
        content = json.loads(store.get(f"{result.prefix}/{RESULT_FILE}"))
    except NotFound as missing:
        raise NotFound(
            f"result of job {result.job_id}: its files are not in the store any more",
            told=told(ErrorCode.RESULT_GONE),
        ) from missing
    return document_of(content if isinstance(content, dict) else {})


def document_of(content: Mapping[str, Any]) -> ResultDocument:
    """Return the values of a parsed ``result.json``."""
    release, inputs = _object(content, "release"), _inputs(content)
    compute = _object(content, "compute")
    reasons: dict[str, int] = {}
    for left in _objects(content, "left_aside"):
        reason = str(left.get("reason", ""))
        reasons[reason] = reasons.get(reason, 0) + 1
    uids = inputs.get("sop_instance_uids")
    return ResultDocument(
        content=content,
        release_name=str(release.get("name", "")),
        release_version=str(release.get("version", "")),
        release_digest=str(release.get("digest", "")),
        files=[
            ResultFile(
                path=str(file.get("path", "")),
                sha256=str(file.get("sha256", "")),
                size_bytes=int(_number(file.get("size_bytes")) or 0),
                sop_instance_uid=str(file.get("sop_instance_uid", "")),
            )
            for file in _objects(content, "files")
            if file.get("path")
        ],
        measured=[_measured(row) for row in _objects(content, "measurements")],
        numbers={str(name): _number(value) for name, value in _object(content, "numbers").items()},
        series=[
            SeriesDecision(
                uid=str(one.get("uid", "")),
                taken=bool(one.get("taken")),
                reason=str(one.get("reason", "")),
                fit=next((fit for fit in Fit if fit.value == one.get("fit")), None),
            )
            for one in _objects(content, "series")
        ],
        left_aside=reasons,
        series_uid=str(inputs.get("series_uid", "")),
        sop_instance_uids=[str(uid) for uid in uids] if isinstance(uids, list) else [],
        stages=stages_of(_object(content, "timings_s")),
        gpu_s=_number(content.get("gpu_s")) or 0.0,
        machine=str(compute.get("machine", "")),
        usd=_number(compute.get("usd")),
        notes=_words(_object(content, "notes")),
        versions=_words(_object(content, "versions")),
        phantom=content.get("phantom") is True,
    )


def _inputs(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what was read: by the last stage, or by the stage before it that says so."""
    if found := _object(content, "inputs"):
        return found
    for stage in reversed(_objects(content, "stages")):
        if found := _object(_object(stage, "report"), "inputs"):
            return found
    return {}


def _measured(row: Mapping[str, Any]) -> Measured:
    voxels = _number(row.get("voxels"))
    return Measured(
        label=str(row.get("label", "")),
        volume_ml=_number(row.get("volume_ml")),
        max_diameter_mm=_number(row.get("max_diameter_mm")),
        mean=_number(row.get("mean")),
        deviation=_number(row.get("standard_deviation")),
        unit=str(row.get("intensity_unit") or ""),
        voxels=None if voxels is None else int(voxels),
    )


def stages_of(timings_s: Mapping[str, Any]) -> Sequence[StageTime]:
    """Return timings of stages by name as values; what is no number is left out."""
    stages = []
    for name, steps in timings_s.items():
        if isinstance(steps, Mapping):
            times = {str(step): _number(seconds) for step, seconds in steps.items()}
            known = {step: seconds for step, seconds in times.items() if seconds is not None}
            stages.append(StageTime(name=str(name), steps=known))
    return stages


def _object(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = content.get(key)
    return found if isinstance(found, dict) else {}


def _objects(content: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    found = content.get(key)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _words(values: Mapping[str, Any]) -> Mapping[str, str]:
    return {str(k): str(v) for k, v in values.items() if isinstance(v, str | int | float)}


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    return None
