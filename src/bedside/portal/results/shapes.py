"""What the API says of results, as JSON."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from bedside.judging.versions import MaskVersion
from bedside.portal.judging.shapes import CorrectedLabel, corrected_labels
from bedside.portal.results.found import Found
from bedside.portal.results.versions import Shown
from bedside.viewing.grid import Grid


class ResultItem(BaseModel):
    """A result in a list."""

    job_id: str = Field(description="The job that wrote it; names the result.")
    arrival_id: str = Field(description="What it was read from.")
    created_at: datetime
    superseded_by: str = Field(description="The job whose result replaced it; empty while it is current.")
    summary: dict[str, Any] = Field(description="Measurements and totals.")


class ResultList(BaseModel):
    """Some results, newest first."""

    results: list[ResultItem]
    more: bool = Field(description="Whether there are more after these.")


class ResultFileItem(BaseModel):
    """A file of a result."""

    path: str
    sha256: str
    size_bytes: int
    sop_instance_uid: str


class MaskVersionItem(BaseModel):
    """A version of a result's masks; the images take its id as `version`."""

    id: str = Field(description="`model`, or the id of a correction.")
    at: datetime = Field(description="When it was made.")
    reviewer: str = Field(description="Number of the account that drew it; empty for the model's.")
    reviewer_name: str = Field(description="What that person is called.")
    counts: bool = Field(description="Whether it is the one that the newest verdict stands by.")
    sop_instance_uid: str = Field(description="Of a correction; the model's is among the files.")
    labels: list[CorrectedLabel] = Field(description="Of a correction, against the model's.")


class ResultDetail(ResultItem):
    """A result, whole."""

    study_uid: str = Field(description="Study Instance UID, or the name of a file set's recording as a hash.")
    arrival_version: int
    pipeline: str
    role: str = Field(description="current, canary, shadow or rerun; a shadow's result is not delivered.")
    phantom: bool = Field(description="Whether no patient is behind it.")
    files: list[ResultFileItem]
    versions: list[MaskVersionItem] = Field(
        description="Of its masks, newest correction first, the model's last."
    )
    document: dict[str, Any] = Field(description="result.json.")


class ImagesProgress(BaseModel):
    """Images that are being prepared."""

    progress: float = Field(description="0 to 1; ask again in a second.")


class ImagesLevel(BaseModel):
    """A resolution of the images."""

    stride: tuple[int, int, int] = Field(description="Every how many voxels along (z, y, x).")
    shape: tuple[int, int, int]
    slab: int = Field(description="Planes along z in one slab; the last may have fewer.")
    slabs: int


class ImagesLabel(BaseModel):
    """A label of the overlay."""

    name: str
    colour: tuple[int, int, int]
    value: int
    map: int
    voxels: int
    centre: tuple[float, float, float] | None


class ImagesDetail(BaseModel):
    """The images that the model read, and its masks on the same grid; axes are (z, y, x)."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    affine: list[list[float]] = Field(description="4×4, maps (z, y, x, 1) to LPS millimetres.")
    letters: list[tuple[str, str]] = Field(description="Of the patient, at both ends of z, y and x.")
    modality: str
    unit: str
    slope: float = Field(description="A value is stored × slope + intercept.")
    intercept: float
    least: float
    most: float
    maps: int = Field(description="Label maps after the images in each slab, a byte per voxel.")
    labels: list[ImagesLabel]
    levels: list[ImagesLevel] = Field(description="From coarse to full.")


def item_of(found: Found, shown: Shown) -> ResultDetail:
    """Return a result as the API says it."""
    result, job = found.result, found.job
    return ResultDetail(
        job_id=result.job_id,
        arrival_id=result.arrival_id,
        created_at=result.created_at,
        superseded_by=result.superseded_by,
        summary=dict(result.summary),
        study_uid=job.subject,
        arrival_version=job.arrival_version,
        pipeline=job.pipeline.name,
        role=job.role.value,
        phantom=found.is_phantom,
        files=[
            ResultFileItem(
                path=file.path,
                sha256=file.sha256,
                size_bytes=file.size_bytes,
                sop_instance_uid=file.sop_instance_uid,
            )
            for file in found.document.files
        ],
        versions=[_version(one, shown) for one in shown.versions.all],
        document=dict(found.document.content),
    )


def _version(one: MaskVersion, shown: Shown) -> MaskVersionItem:
    return MaskVersionItem(
        id=one.id,
        at=one.at,
        reviewer=one.reviewer,
        reviewer_name=shown.reviewers.get(one.reviewer, ""),
        counts=one.id == shown.versions.standing.id,
        sop_instance_uid=one.correction.sop_instance_uid if one.correction else "",
        labels=corrected_labels(one.correction) if one.correction else [],
    )


def images_of(grid: Grid) -> ImagesDetail:
    """Return a grid as the API says it."""
    levels = [
        ImagesLevel(stride=level.stride, shape=level.shape, slab=level.slab, slabs=level.slabs)
        for level in grid.levels
    ]
    return ImagesDetail.model_validate({**grid.to_json(), "levels": levels})
