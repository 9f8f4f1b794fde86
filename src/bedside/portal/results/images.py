"""The images of a result for browsers and scripts: what they are, slab by slab, plane by plane, as NIfTI.

Owns packing on the way (zstd or gzip, whichever the browser takes) and the wait: who asks too early is told
how far it is (202), so that nobody holds a connection while a study is read.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

import zstandard
from fastapi import APIRouter, Query
from isal import igzip, isal_zlib
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from bedside.errors import NotFound
from bedside.judging.versions import MaskVersion
from bedside.portal.access.trail import note
from bedside.portal.dicomweb.desk import NOTED_S, Remembered
from bedside.portal.results.found import JobId, Reading, find
from bedside.portal.results.shapes import ImagesDetail, ImagesProgress, images_of
from bedside.portal.results.versions import VersionId, noted, version_of
from bedside.viewing.images import Prepared, Preparing
from bedside.viewing.nifti import nifti_header

router = APIRouter(prefix="/api/v1/tenants/{tenant}/results/{job_id}/images", tags=["images"])

#: A request waits so long for images that are being prepared; a small study is done by then.
PATIENCE_S = 0.8
_NOTED = 4096  # whose looks are remembered
_GZIP_WBITS = 31  # a gzip header and trailer around deflate
_LEVEL = 1  # of packing: the line is faster than higher ones
_BYTES: dict[int | str, dict[str, Any]] = {200: {"content": {"application/octet-stream": {}}}}
_PROGRESS: dict[int | str, dict[str, Any]] = {
    202: {"model": ImagesProgress, "description": "They are being prepared."}
}


class Plane(StrEnum):
    """Planes by the axis across them."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


class Kind(StrEnum):
    """What of a volume."""

    IMAGES = "images"
    LABELS = "labels"


class Part(StrEnum):
    """What of an answer."""

    ALL = "all"
    LABELS = "labels"


Parts = Annotated[Part, Query(description="`labels` leaves the images out.")]


@router.get("", response_model=ImagesDetail, responses=_PROGRESS)
def describe(place: Reading, job_id: JobId, version: VersionId = "") -> Response:
    """Say what the images are; while they are being prepared (202), how far they are."""
    seen, drawn = _look(place, job_id, version)
    if isinstance(seen, Preparing):
        return _early(seen)
    _note(place, job_id, drawn)
    return JSONResponse(images_of(seen.grid).model_dump(mode="json"))


@router.get("/levels/{level}/{slab}", response_class=Response, responses=_BYTES | _PROGRESS)
def slab(
    request: Request,
    place: Reading,
    job_id: JobId,
    level: int,
    slab: int,
    version: VersionId = "",
    part: Parts = Part.ALL,
) -> Response:
    """Return planes along z: int16 values, then each label map as bytes; little endian, axes (z, y, x)."""
    seen, drawn = _look(place, job_id, version)
    _note_once(request, place, job_id, seen, drawn)
    if isinstance(seen, Preparing):
        return _early(seen)
    return _packed(request, seen.slab(level, slab, bare=part is Part.LABELS))


@router.get("/planes/{plane}/{index}", response_class=Response, responses=_BYTES | _PROGRESS)
def plane(
    request: Request,
    place: Reading,
    job_id: JobId,
    plane: Plane,
    index: int,
    version: VersionId = "",
    part: Parts = Part.ALL,
) -> Response:
    """Return one plane with every voxel, as slabs are."""
    seen, drawn = _look(place, job_id, version)
    _note_once(request, place, job_id, seen, drawn)
    if isinstance(seen, Preparing):
        return _early(seen)
    return _packed(request, seen.plane(list(Plane).index(plane), index, bare=part is Part.LABELS))


@router.get("/{kind}.nii", response_class=Response, responses=_BYTES | _PROGRESS)
def nifti(
    request: Request,
    place: Reading,
    job_id: JobId,
    kind: Kind,
    level: int = Query(0, ge=0, description="0 is the coarsest."),
    map: int = Query(0, ge=0, description="Which of the label maps."),  # noqa: A002 - as the API calls it
    version: VersionId = "",
) -> Response:
    """Return a level as NIfTI-1, RAS, for viewers that read those."""
    prepared, drawn = _look(place, job_id, version)
    if isinstance(prepared, Preparing):
        return _early(prepared)
    note(
        place.here,
        place.caller,
        "result.downloaded",
        tenant=place.tenant,
        object=job_id,
        detail={"file": f"{kind.value}.nii", **noted(drawn)},
    )
    grid = prepared.grid
    if level >= len(grid.levels) or map >= grid.maps:
        raise NotFound(f"images: level {level} of {len(grid.levels)}, map {map} of {grid.maps}")
    chosen = grid.levels[level]
    pixels = kind is Kind.IMAGES
    header = nifti_header(grid, chosen, "int16" if pixels else "uint8")

    def voxels() -> Iterator[bytes]:
        yield header
        for number in range(chosen.slabs):
            planes = min(chosen.slab, chosen.shape[0] - number * chosen.slab)
            voxels = planes * chosen.shape[1] * chosen.shape[2]
            begin = 0 if pixels else voxels * (2 + map)
            yield prepared.slab(level, number)[begin : begin + voxels * (2 if pixels else 1)]

    encoding = _encoding(request)
    headers = {"Vary": "Accept-Encoding", **({"Content-Encoding": encoding} if encoding else {})}
    return StreamingResponse(
        _pack_all(encoding, voxels()), media_type="application/octet-stream", headers=headers
    )


def _note(place: Reading, job_id: str, drawn: MaskVersion) -> None:
    detail = {"part": "images", **noted(drawn)}
    note(place.here, place.caller, "result.viewed", tenant=place.tenant, object=job_id, detail=detail)


def _note_once(
    request: Request, place: Reading, job_id: str, seen: Prepared | Preparing, drawn: MaskVersion
) -> None:
    """Note that somebody looks at a result's images: once per session and version, not per plane.

    A script need not have asked what they are, which is noted each time.
    """
    caller, remembered = place.caller, noted_of(request)
    key = (place.tenant, job_id, drawn.id, caller.person.subject, caller.credential)
    if isinstance(seen, Prepared) and remembered.get(key) is None:
        _note(place, job_id, drawn)
        remembered.put(key, True)


def noted_of(request: Request) -> Remembered[bool]:
    """Return whose looks at which images were noted a while ago, in the portal that was asked."""
    state = request.app.state
    found: Remembered[bool] | None = getattr(state, "images_noted", None)
    if found is None:
        found = state.images_noted = Remembered(_NOTED, NOTED_S)
    return found


def _look(place: Reading, job_id: str, wanted: str) -> tuple[Prepared | Preparing, MaskVersion]:
    found = find(place, job_id)
    drawn = version_of(place, found, wanted)
    images = place.here.deployment.images
    seen = images.look(found.result, found.document, correction=drawn.correction, wait_s=PATIENCE_S)
    return seen, drawn


def _early(preparing: Preparing) -> Response:
    return JSONResponse({"progress": preparing.progress}, status_code=202, headers={"Retry-After": "1"})


def _encoding(request: Request) -> str:
    """Return how an answer is packed for whoever asks, or empty."""
    offers: dict[str, float] = {}
    for part in request.headers.get("accept-encoding", "").split(","):
        name, _, quality = part.strip().partition(";q=")
        try:
            offers[name.strip().lower()] = float(quality or 1)
        except ValueError:
            continue
    return next((name for name in ("zstd", "gzip") if offers.get(name, 0) > 0), "")


def _packed(request: Request, data: bytes) -> Response:
    encoding = _encoding(request)
    if encoding == "zstd":
        data = zstandard.ZstdCompressor(level=_LEVEL).compress(data)
    elif encoding == "gzip":
        data = igzip.compress(data, _LEVEL)
    headers = {"Vary": "Accept-Encoding", **({"Content-Encoding": encoding} if encoding else {})}
    return Response(data, media_type="application/octet-stream", headers=headers)


def _pack_all(encoding: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pack piece by piece into one stream: browsers read no second one after it."""
    if not encoding:
        yield from pieces
        return
    packing = (
        zstandard.ZstdCompressor(level=_LEVEL).compressobj()
        if encoding == "zstd"
        else isal_zlib.compressobj(_LEVEL, wbits=_GZIP_WBITS)
    )
    for piece in pieces:
        yield packing.compress(piece)
    yield packing.flush()
