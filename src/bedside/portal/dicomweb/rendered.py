"""WADO-RS rendered and thumbnail: pictures for people. See PS3.18 10.4.1.1.3, 10.4.1.1.5, 8.3.5."""

from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from bedside.dicom.render import FORMATS, MAX_SIDE_PX, Look, Viewport, Window, rendered
from bedside.domain.catalogue import Instance, Layout, text_of
from bedside.errors import NotFound, UsageError
from bedside.portal.access.need import Place
from bedside.portal.dicomweb import described
from bedside.portal.dicomweb.accept import choose
from bedside.portal.dicomweb.cached import PRIVATE, tag_of, unchanged
from bedside.portal.dicomweb.described import FrameList, SeriesUid, SopInstanceUid, StudyUid
from bedside.portal.dicomweb.desk import Desk, desk_of
from bedside.portal.dicomweb.frames import numbers_of
from bedside.portal.dicomweb.need import reading

_FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
#: A region may go beyond its image, and is made as large as it says before it is shrunk.
_MOST_REGION_PX = 8192
_THUMBNAIL = Viewport(width=200, height=200)
#: What stands for a study is a picture of the patient before one that was derived from it.
_DERIVED = frozenset({"SEG", "SR", "PR", "KO", "RTSTRUCT", "DOC", "M3D"})

router = APIRouter(prefix="/dicomweb/{tenant}/studies")
_READ = Depends(reading())
_INSTANCE = "/{study_uid}/series/{series_uid}/instances/{sop_instance_uid}"


@router.get(
    _INSTANCE + "/rendered",
    **described.picture("RetrieveRenderedInstance", "Retrieve a picture of an instance"),
)
async def instance_rendered(
    request: Request,
    study_uid: StudyUid,
    series_uid: SeriesUid,
    sop_instance_uid: SopInstanceUid,
    place: Place = _READ,
) -> Response:
    """Return a picture of an instance; of several frames the first."""
    return await _one(request, place, (study_uid, series_uid, sop_instance_uid), "1", None)


@router.get(
    _INSTANCE + "/frames/{frame_list}/rendered",
    **described.picture("RetrieveRenderedFrame", "Retrieve a picture of a frame"),
)
async def frame_rendered(
    request: Request,
    study_uid: StudyUid,
    series_uid: SeriesUid,
    sop_instance_uid: SopInstanceUid,
    frame_list: FrameList,
    place: Place = _READ,
) -> Response:
    """Return a picture of one frame."""
    return await _one(request, place, (study_uid, series_uid, sop_instance_uid), frame_list, None)


@router.get(
    _INSTANCE + "/thumbnail",
    **described.picture("RetrieveInstanceThumbnail", "Retrieve a thumbnail of an instance"),
)
async def instance_thumbnail(
    request: Request,
    study_uid: StudyUid,
    series_uid: SeriesUid,
    sop_instance_uid: SopInstanceUid,
    place: Place = _READ,
) -> Response:
    """Return a small picture of an instance: of its frame in the middle."""
    return await _one(request, place, (study_uid, series_uid, sop_instance_uid), "", _THUMBNAIL)


@router.get(
    _INSTANCE + "/frames/{frame_list}/thumbnail",
    **described.picture("RetrieveFrameThumbnail", "Retrieve a thumbnail of a frame"),
)
async def frame_thumbnail(
    request: Request,
    study_uid: StudyUid,
    series_uid: SeriesUid,
    sop_instance_uid: SopInstanceUid,
    frame_list: FrameList,
    place: Place = _READ,
) -> Response:
    """Return a small picture of a frame."""
    return await _one(request, place, (study_uid, series_uid, sop_instance_uid), frame_list, _THUMBNAIL)


@router.get(
    "/{study_uid}/thumbnail", **described.picture("RetrieveStudyThumbnail", "Retrieve a thumbnail of a study")
)
async def study_thumbnail(request: Request, study_uid: StudyUid, place: Place = _READ) -> Response:
    """Return a small picture that stands for a study."""
    return await run_in_threadpool(_of_several, request, place, study_uid, "", _THUMBNAIL)


@router.get(
    "/{study_uid}/series/{series_uid}/thumbnail",
    **described.picture("RetrieveSeriesThumbnail", "Retrieve a thumbnail of a series"),
)
async def series_thumbnail(
    request: Request, study_uid: StudyUid, series_uid: SeriesUid, place: Place = _READ
) -> Response:
    """Return a small picture that stands for a series."""
    return await run_in_threadpool(_of_several, request, place, study_uid, series_uid, _THUMBNAIL)


async def _one(
    request: Request, place: Place, uids: tuple[str, str, str], frame_list: str, small: Viewport | None
) -> Response:
    def make() -> Response:
        desk = desk_of(request)
        instance, layout = desk.instance(place.tenant, *uids)
        desk.seen(place, instance.study_uid)
        if not layout.count or layout.problem:
            said = layout.problem or "it has no pixels"
            raise HTTPException(406, f"this instance cannot be rendered: {said}")
        numbers = numbers_of(frame_list, layout) if frame_list else [layout.count // 2]
        if len(numbers) > 1:
            raise HTTPException(406, "several frames cannot be one picture; ask for each")
        return _picture(request, desk, instance, numbers[0], small)

    return await run_in_threadpool(make)


def _of_several(request: Request, place: Place, study_uid: str, series_uid: str, small: Viewport) -> Response:
    desk = desk_of(request)
    found = desk.instances(place.tenant, study_uid, series_uid)
    desk.seen(place, study_uid)
    instance, layout = _standing_for(desk, place, found)
    return _picture(request, desk, instance, layout.count // 2, small)


def _standing_for(desk: Desk, place: Place, found: Sequence[Instance]) -> tuple[Instance, Layout]:
    """Return the instance in the middle of the first series that has pixels, images before derived ones."""
    by_series: dict[str, list[Instance]] = {}
    for one in found:
        by_series.setdefault(one.series_uid, []).append(one)
    catalogue = place.here.deployment.records.catalogue
    order = [s for s in catalogue.series(place.tenant, found[0].study_uid) if s.series_uid in by_series]
    for series in sorted(order, key=lambda s: s.modality in _DERIVED):
        inside = by_series[series.series_uid]
        middle = inside[len(inside) // 2]
        if text_of(middle.attributes, "00280010"):
            uids = (middle.study_uid, middle.series_uid, middle.sop_instance_uid)
            instance, layout = desk.instance(place.tenant, *uids)
            if layout.count and not layout.problem:
                return instance, layout
    raise NotFound("nothing in it can be shown as a picture")


def _picture(
    request: Request, desk: Desk, instance: Instance, number: int, small: Viewport | None
) -> Response:
    look = _look(request, small)
    tag = tag_of(instance.key, number, look)
    known = unchanged(request, tag)
    if known is not None:
        return known
    content = desk.apart(instance, rendered, number, look)
    headers = {"ETag": tag, "Cache-Control": PRIVATE, "Vary": "Accept"}
    return Response(content, media_type=look.media_type, headers=headers)


def _look(request: Request, small: Viewport | None) -> Look:
    """Read how the picture shall be.

    Raises:
        UsageError: A parameter is no such thing.
    """
    asked = request.query_params
    look = Look(media_type=choose(request, tuple(FORMATS)), viewport=small)
    if "window" in asked:
        words = asked["window"].split(",")
        function = _FUNCTIONS.get(words[2].lower() if len(words) == 3 else "linear", "")
        numbers = _numbers("window", words[:2])
        if len(words) not in (2, 3) or len(numbers) != 2 or not function or numbers[1] < (
            1 if function == "LINEAR" else 1e-9
        ):  # fmt: skip
            raise UsageError("window: want CENTRE,WIDTH,FUNCTION with linear, linear-exact or sigmoid")
        look = replace(look, window=Window(centre=numbers[0], width=numbers[1], function=function))
    if "viewport" in asked:
        look = replace(look, viewport=_viewport(asked["viewport"]))
    if "quality" in asked:
        quality = asked["quality"]
        if not quality.isdecimal() or len(quality) > 3 or not 1 <= int(quality) <= 100:
            raise UsageError("quality: want a whole number from 1 to 100")
        look = replace(look, quality=int(quality))
    return look


def _viewport(text: str) -> Viewport:
    words = text.split(",")
    sizes = _numbers("viewport", words[:2])
    if len(words) not in (2, 6) or not all(1 <= size <= MAX_SIDE_PX for size in sizes):
        raise UsageError(f"viewport: want W,H or W,H,X,Y,W,H with sides from 1 to {MAX_SIDE_PX}")
    region = None
    if len(words) == 6:
        x, y, width, height = _numbers("viewport", [word or "0" for word in words[2:]])
        if not all(1 <= abs(side) <= _MOST_REGION_PX for side in (width, height)):
            raise UsageError(f"viewport: the sides of its region are from 1 to {_MOST_REGION_PX}")
        region = (x, y, width, height)
    return Viewport(width=int(sizes[0]), height=int(sizes[1]), region=region)


def _numbers(name: str, words: Sequence[str]) -> list[float]:
    try:
        numbers = [float(word) for word in words]
    except ValueError as exc:
        raise UsageError(f"{name}: not numbers with commas between") from exc
    if not all(abs(number) < 1e9 for number in numbers):
        raise UsageError(f"{name}: a number is out of range")
    return numbers
