"""The page of a result: what was found, on what, by what, and all there is to look at and to take away."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from bedside.domain.person import Right
from bedside.errors import ErrorCode, NotFound, told
from bedside.judging.versions import MaskVersion
from bedside.portal.access.trail import note
from bedside.portal.judging.pages import panel_of
from bedside.portal.results import files
from bedside.portal.results.found import Found, JobId, Reading, Version, find, others
from bedside.portal.results.versions import Shown, VersionId, noted, shown_to_people
from bedside.portal.shell.headers import POLICY
from bedside.portal.shell.statics import address_of
from bedside.portal.shell.words import Words
from bedside.viewing.document import ResultFile, StageTime, stages_of
from bedside.viewing.subject import Subject, subject_of

router = APIRouter(include_in_schema=False)

#: As every page; NiiVue unpacks its fonts and colours from data addresses as well.
POLICY_3D = POLICY.format(connect=" data:")
#: Files by what they are, in the order in which people want them.
_GROUPS = (
    ("dicom", ("dicom/",)),
    ("surfaces", ("surfaces/",)),
    ("nifti", ("nifti/",)),
    ("others", ("",)),
)


@router.get("/t/{tenant}/results/{job_id}")
def page(request: Request, place: Reading, job_id: JobId, version: VersionId = "") -> Response:
    """Show a result, with the version of its masks that is asked for, else with the one that counts."""
    found = find(place, job_id)
    shown = shown_to_people(place, found, version)
    note(
        place.here,
        place.caller,
        "result.viewed",
        tenant=place.tenant,
        object=job_id,
        detail=noted(shown.version),
    )
    versions = others(place, found)
    at = next(number for number, one in enumerate(versions) if one.job.id == job_id)
    same = [number for number, one in enumerate(versions) if _alike(one, versions[at])]
    later = max((number for number in same if number < at), default=None)
    earlier = min((number for number in same if number > at), default=None)
    base = f"/t/{place.tenant}/results"
    api = f"/api/v1/tenants/{place.tenant}/results/{job_id}"
    return place.here.pages.render(
        request,
        "results/result.html",
        caller=place.caller,
        tenant=place.tenant,
        headers={"Content-Security-Policy": POLICY_3D},
        found=found,
        document=found.document,
        subject=_subject(place, found),
        stages=_stages(found),
        groups=_groups(found.document.files),
        masks=shown,
        corrected=_corrected(place, found, shown),
        judging=panel_of(place, found.job),
        versions=versions,
        later=versions[later] if later is not None else None,
        earlier=versions[earlier] if earlier is not None else None,
        base=base,
        api=api,
        may_operate=place.caller.person.may(Right.OPERATE, place.tenant),
        told=_told(found, shown, api, place.here.pages.words(request, place.caller)),
    )


@router.get("/t/{tenant}/results/{job_id}/preview.png")
def preview(request: Request, place: Reading, job_id: JobId) -> Response:
    """Answer with the picture that the page shows at once.

    Raises:
        NotFound: The result has none.
    """
    found = find(place, job_id)
    file = found.document.preview
    if file is None:
        raise NotFound("the result has no preview", told=told(ErrorCode.PREVIEW_MISSING))
    note(
        place.here,
        place.caller,
        "result.viewed",
        tenant=place.tenant,
        object=job_id,
        detail={"part": "preview"},
    )
    return files.answer(request, place.store, found, file, inline=True)


def _alike(one: Version, other: Version) -> bool:
    """Whether two results are of one pipeline and both delivered, or both not."""
    shadows = one.job.role.value == "shadow", other.job.role.value == "shadow"
    return one.job.pipeline.name == other.job.pipeline.name and shadows[0] == shadows[1]


def _subject(place: Reading, found: Found) -> Subject | None:
    deployment = place.here.deployment
    arrival = deployment.ledger.arrival(place.tenant, found.result.arrival_id)
    return subject_of(place.store, arrival, found.document, deployment.scratch / "viewing" / place.tenant)


def _stages(found: Found) -> Sequence[StageTime]:
    """Return how long each step took, with waiting and delivery where the ledger knows them."""
    timed = found.result.summary.get("timings_s")
    return stages_of(timed) if isinstance(timed, Mapping) else found.document.stages


def _groups(listed: Sequence[ResultFile]) -> Sequence[tuple[str, Sequence[ResultFile]]]:
    groups: dict[str, list[ResultFile]] = {name: [] for name, _ in _GROUPS}
    for file in listed:
        name = next(name for name, begins in _GROUPS if file.path.startswith(begins))
        groups[name].append(file)
    return [(name, found) for name, found in groups.items() if found]


def _corrected(place: Reading, found: Found, shown: Shown) -> Sequence[tuple[MaskVersion, ResultFile]]:
    """Return the corrections that can be taken away, newest first."""
    kept = [(one, files.corrected(place.store, found, one)) for one in shown.versions.corrections]
    return [(version, file) for version, file in kept if file is not None]


def _told(found: Found, shown: Shown, api: str, words: Words) -> Mapping[str, Any]:
    """Return what the page's scripts need to know; surfaces are of the model's masks, and of no other."""
    correction = shown.version.correction
    volumes = (
        {one.label: one.volume_ml for one in correction.labels}
        if correction
        else {one.label: one.volume_ml for one in found.document.measured}
    )
    texts = {**words.below("results.view_"), **words.below("masks.view_")}
    return {
        "api": api,
        "words": {key.partition(".view_")[2]: text for key, text in texts.items()},
        "niivue": address_of("vendor/niivue/index.js"),
        "version": shown.version.id,
        "choice": shown.is_choice,
        "corrected": correction is not None,
        "surfaces": [] if correction else [file.path for file in found.document.surfaces],
        "measured": volumes,
    }
