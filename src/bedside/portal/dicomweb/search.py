"""QIDO-RS: studies, series and instances by their attributes. See PS3.18 10.6."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from bedside.dicom.names import path_of
from bedside.domain.catalogue import Found
from bedside.domain.matching import Match, match_of
from bedside.domain.searchable import FIELDS, MODALITIES, Field, Level
from bedside.errors import UsageError
from bedside.portal.access.need import Place
from bedside.portal.dicomweb import described
from bedside.portal.dicomweb.accept import chosen_json
from bedside.portal.dicomweb.answer import of_instance, of_series, of_study
from bedside.portal.dicomweb.described import SeriesUid, StudyUid
from bedside.portal.dicomweb.desk import base_of, desk_of
from bedside.portal.dicomweb.need import reading
from bedside.ports.catalogue import Search

#: Results at most, whatever is asked for; a study has seldom more instances.
MOST = {Level.STUDY: 1000, Level.SERIES: 5000, Level.INSTANCE: 10_000}
#: Results where no limit is given.
USUAL = {Level.STUDY: 200, Level.SERIES: 5000, Level.INSTANCE: 10_000}
#: Words that are no attributes, and what is said where one of them is asked for in vain.
_UNSUPPORTED = {
    "fuzzymatching": "The fuzzymatching parameter is not supported. "
    "Only literal matching has been performed.",
    "emptyvaluematching": "The emptyvaluematching parameter is not supported. "
    "Empty Value Matching has not been performed.",
    "multiplevaluematching": "The multiplevaluematching parameter is not supported. "
    "Multiple Value Matching has not been performed.",
}
_WORDS = frozenset({*_UNSUPPORTED, "limit", "offset", "includefield", "accept", "charset", "orderby"})
_BY_TAG: Mapping[str, Field] = {one.tag: one for one in (*FIELDS, MODALITIES)}
_ORDER = list(Level)

router = APIRouter(prefix="/dicomweb/{tenant}")
_READ = Depends(reading())


@dataclass(slots=True)
class Asked:
    """What a search asks for.

    Attributes:
        level: What is listed.
        everywhere: Whether it goes beyond one study or series, so that hits say whose they are.
        matches: What must be met.
        include: Tags asked for besides the usual ones; ``all`` is every one that there is.
        limit: So many at most.
        offset: After so many.
        warnings: What could not be done.
    """

    level: Level
    everywhere: bool = False
    matches: list[Match] = field(default_factory=list)
    include: set[str] = field(default_factory=set)
    limit: int = 0
    offset: int = 0
    warnings: list[str] = field(default_factory=list)


@router.get("/studies", **described.search("SearchForStudies", "Search for studies", Level.STUDY))
async def studies(request: Request, place: Place = _READ) -> Response:
    """Search for studies."""
    return await _answer(request, place, Asked(level=Level.STUDY))


@router.get("/series", **described.search("SearchForSeries", "Search for series", Level.SERIES))
async def all_series(request: Request, place: Place = _READ) -> Response:
    """Search for series of all studies."""
    return await _answer(request, place, Asked(level=Level.SERIES, everywhere=True))


@router.get("/instances", **described.search("SearchForInstances", "Search for instances", Level.INSTANCE))
async def all_instances(request: Request, place: Place = _READ) -> Response:
    """Search for instances of all studies."""
    return await _answer(request, place, Asked(level=Level.INSTANCE, everywhere=True))


@router.get(
    "/studies/{study_uid}/series",
    **described.search(
        "SearchForStudySeries", "Search for series of a study", Level.SERIES, below=Level.STUDY
    ),
)
async def series_of_study(request: Request, study_uid: StudyUid, place: Place = _READ) -> Response:
    """Search for series of a study."""
    return await _answer(request, place, Asked(level=Level.SERIES), study_uid)


@router.get(
    "/studies/{study_uid}/instances",
    **described.search(
        "SearchForStudyInstances", "Search for instances of a study", Level.INSTANCE, below=Level.STUDY
    ),
)
async def instances_of_study(request: Request, study_uid: StudyUid, place: Place = _READ) -> Response:
    """Search for instances of a study."""
    return await _answer(request, place, Asked(level=Level.INSTANCE), study_uid)


@router.get(
    "/studies/{study_uid}/series/{series_uid}/instances",
    **described.search(
        "SearchForStudySeriesInstances",
        "Search for instances of a series",
        Level.INSTANCE,
        below=Level.SERIES,
    ),
)
async def instances_of_series(
    request: Request, study_uid: StudyUid, series_uid: SeriesUid, place: Place = _READ
) -> Response:
    """Search for instances of a series."""
    return await _answer(request, place, Asked(level=Level.INSTANCE), study_uid, series_uid)


def read(asked: Asked, parameters: list[tuple[str, str]]) -> None:
    """Read the parameters of a search.

    Raises:
        UsageError: A value cannot be what its attribute is.
    """
    asked.limit = USUAL[asked.level]
    for name, value in parameters:
        if name in _UNSUPPORTED:
            if _truth(name, value):
                asked.warnings.append(_UNSUPPORTED[name])
        elif name == "limit":
            asked.limit = min(_number(name, value), MOST[asked.level])
        elif name == "offset":
            asked.offset = _number(name, value)
        elif name == "includefield":
            _include(asked, value)
        elif name not in _WORDS:
            _match(asked, name, value)


def _include(asked: Asked, value: str) -> None:
    for word in filter(None, (part.strip() for part in value.split(","))):
        path = word if word == "all" else path_of(word)
        if path:
            asked.include.add(path.partition(".")[0])
        else:
            asked.warnings.append("An includefield that is no attribute of DICOM is left out.")


def _match(asked: Asked, name: str, value: str) -> None:
    path = path_of(name)
    found = _BY_TAG.get(path)
    if not path:
        asked.warnings.append("A parameter that is no attribute of DICOM is left out.")
        return
    if found is None or _ORDER.index(found.level) > _ORDER.index(asked.level):
        if value.strip(" *"):
            asked.warnings.append(f"Matching by {path} is not supported here; it has not been performed.")
        asked.include.add(path.partition(".")[0])
        return
    asked.include.add(path.partition(".")[0])
    match = match_of(found, value)
    if match is not None:
        asked.matches.append(match)


def _truth(name: str, value: str) -> bool:
    if value.lower() not in {"true", "false"}:
        raise UsageError(f"{name}: want true or false")
    return value.lower() == "true"


def _number(name: str, value: str) -> int:
    if not value.isdecimal() or len(value) > 9:
        raise UsageError(f"{name}: want a whole number from 0 on")
    return int(value)


async def _answer(
    request: Request, place: Place, asked: Asked, study_uid: str = "", series_uid: str = ""
) -> Response:
    media_type = chosen_json(request)
    read(asked, list(request.query_params.multi_items()))
    base = base_of(request, place.tenant)

    def find() -> tuple[list[Found], bytes]:
        desk = desk_of(request)
        if study_uid:
            desk.study(place.tenant, study_uid)
            desk.seen(place, study_uid)
        else:
            desk.searched(place)
        search = Search(
            level=asked.level,
            study_uid=study_uid,
            series_uid=series_uid,
            matches=tuple(asked.matches),
            limit=asked.limit + 1,
            offset=asked.offset,
        )
        catalogue = place.here.deployment.records.catalogue
        found = list(catalogue.search(place.tenant, search))
        listed = [_shown(place, hit, asked, base) for hit in found[: asked.limit]]
        return found, json.dumps(listed, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")

    found, content = await run_in_threadpool(find)
    if len(found) > asked.limit:
        asked.warnings.append("There are additional results that can be requested")
    answer = (
        Response(status_code=204) if not found[: asked.limit] else Response(content, media_type=media_type)
    )
    answer.headers["Cache-Control"] = "no-store"
    for warning in dict.fromkeys(asked.warnings):
        answer.headers.append("Warning", f"299 {base}: {warning}")
    return answer


def _shown(place: Place, hit: Found, asked: Asked, base: str) -> dict[str, Any]:
    if asked.level is Level.STUDY:
        return of_study(hit.study, asked.include, base)
    assert hit.series is not None
    above = of_study(hit.study, asked.include, base) if asked.everywhere else {}
    if asked.level is Level.SERIES:
        return dict(sorted((above | of_series(hit.series, hit.study, asked.include, base)).items()))
    assert hit.instance is not None
    if asked.everywhere:
        above |= of_series(hit.series, hit.study, asked.include, base)
    own = of_instance(hit.instance, asked.include, base)
    missing = asked.include - {"all"} - own.keys() - above.keys()
    if missing:
        own |= _from_metadata(place, hit, missing)
    return dict(sorted((above | own).items()))


def _from_metadata(place: Place, hit: Found, tags: set[str]) -> dict[str, Any]:
    """Return attributes that lists do not show by themselves."""
    instance = hit.instance
    assert instance is not None
    catalogue = place.here.deployment.records.catalogue
    told = catalogue.metadata(
        place.tenant, instance.study_uid, instance.series_uid, instance.sop_instance_uid
    )
    attributes: dict[str, Any] = json.loads(told[0][1]) if told else {}
    return {
        tag: attributes[tag] for tag in tags if tag in attributes and "BulkDataURI" not in attributes[tag]
    }
