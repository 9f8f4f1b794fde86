"""The links "View images": from a study or a result of ours to the viewer, showing the right one."""

import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.dicom.identify import identify
from bedside.domain.arrival import Arrival, ArrivalKind
from bedside.domain.person import Right
from bedside.errors import NotFound
from bedside.portal.access.need import Place, within
from bedside.portal.access.trail import note
from bedside.portal.ohif.files import entry
from bedside.portal.results.found import Found, JobId, find
from bedside.portal.results.versions import VersionId, noted, shown_to_people

#: SOP Classes that the viewer lays over images: Segmentation and Label Map Segmentation (PS3.4 B.5).
SEGMENTATIONS: Final = frozenset({"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"})
#: Of the viewer: labels may be shown, hidden, changed and stored.
MODE: Final = "segmentation"

router = APIRouter(include_in_schema=False)


@router.get("/t/{tenant}/studies/{arrival_id}/images")
def study_images(request: Request, arrival_id: str, place: Place = Depends(within(Right.READ))) -> Response:
    """Open a study in the viewer."""
    arrival = _study(place, arrival_id)
    if not entry():
        return _missing(request, place, back=f"/t/{place.tenant}/studies/{arrival_id}")
    note(place.here, place.caller, "images.viewed", tenant=place.tenant, object=arrival_id)
    return _open(request, place, arrival.subject, "")


@router.get("/t/{tenant}/results/{job_id}/images")
def result_images(
    request: Request,
    job_id: JobId,
    version: VersionId = "",
    place: Place = Depends(within(Right.READ)),
) -> Response:
    """Open what a job read in the viewer, with one version of its masks over it: the one that counts.

    Raises:
        NotFound: There is no such result, or no such version of its masks.
    """
    found = find(place, job_id)
    arrival = _study(place, found.result.arrival_id)
    if not entry():
        return _missing(request, place, back=f"/t/{place.tenant}/results/{job_id}")
    drawn = shown_to_people(place, found, version).version
    note(place.here, place.caller, "images.viewed", tenant=place.tenant, object=job_id, detail=noted(drawn))
    loaded = drawn.correction.sop_instance_uid if drawn.correction else _segmentation(place, found)
    return _open(request, place, arrival.subject, loaded)


def _study(place: Place, arrival_id: str) -> Arrival:
    arrival = place.here.deployment.ledger.arrival(place.tenant, arrival_id)
    if arrival.kind is not ArrivalKind.DICOM:
        raise NotFound(f"arrival {arrival_id}: its files are not DICOM, so there are no images to open")
    return arrival


def _segmentation(place: Place, found: Found) -> str:
    """Return the SOP Instance UID of the model's first segmentation, or empty where it wrote none."""
    with tempfile.TemporaryDirectory(prefix="seg-", dir=place.here.deployment.scratch) as folder:
        for number, file in enumerate(found.document.files):
            if file.path.startswith("dicom/"):
                path = Path(folder) / str(number)
                place.store.fetch(f"{found.result.prefix}/{file.path}", path)
                instance = identify(path)
                if instance and instance.sop_class_uid in SEGMENTATIONS:
                    return instance.sop_instance_uid
    return ""


def _open(request: Request, place: Place, study_uid: str, segmentation: str) -> Response:
    # The viewer searches for it at once, and would find nothing of what came a moment ago.
    place.here.deployment.cataloguer.bring(place.tenant, study_uid)
    asked = {
        "StudyInstanceUIDs": study_uid,
        "hangingProtocolId": "default",  # the one that opens what the address names
        "lng": place.here.pages.words(request, place.caller).language,
    }
    if segmentation:
        asked["initialSOPInstanceUID"] = segmentation  # opening a segmentation loads it over its images
    return RedirectResponse(f"/ohif/{place.tenant}/{MODE}?{urlencode(asked)}", status_code=303)


def _missing(request: Request, place: Place, *, back: str) -> Response:
    """Say that the viewer is not here, how it is got, and where the images can be seen nevertheless."""
    return place.here.pages.render(
        request, "ohif/missing.html", caller=place.caller, tenant=place.tenant, status=503, back=back
    )
