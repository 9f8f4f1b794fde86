"""The page from which people send studies, and see what became of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.job import JobState
from bedside.domain.person import Right
from bedside.domain.upload import MOST_PARTS, PART_BYTES
from bedside.portal.access.need import Place, within
from bedside.portal.access.trail import note
from bedside.portal.shell.headers import policy
from bedside.portal.upload.api import UploadId, desk_of, mine
from bedside.uploads.outcome import outcome_of

#: Uploads that the page lists.
SHOWN = 20

router = APIRouter(include_in_schema=False, prefix="/t/{tenant}/upload")

Sender = Annotated[Place, Depends(within(Right.SEND))]


@router.get("")
def page(request: Request, place: Sender) -> Response:
    """Show where to drop studies, and what was sent before."""
    desk, pages = desk_of(place), place.here.pages
    limits = place.here.deployment.settings
    told = {
        "uploads": f"/api/v1/tenants/{place.tenant}/uploads",
        "list": f"/t/{place.tenant}/upload/list",
        "part_bytes": PART_BYTES,
        "most_bytes": min(limits.upload.max_bytes, PART_BYTES * MOST_PARTS),
        "most_files": limits.intake.max_files,
    }
    words = pages.words(request, place.caller).below("upload.js_")
    return pages.render(
        request,
        "upload/upload.html",
        caller=place.caller,
        tenant=place.tenant,
        headers={"Content-Security-Policy": policy(desk.origin(place.tenant))},
        told=told,
        words={key.removeprefix("upload.js_"): text for key, text in words.items()},
        keep_days=limits.upload.keep_days,
        **_listed(place),
    )


@router.get("/list")
def listed(request: Request, place: Sender) -> Response:
    """Show what was sent before, alone: the page asks for it while something moves."""
    return place.here.pages.render(
        request, "upload/list.html", caller=place.caller, tenant=place.tenant, **_listed(place)
    )


@router.post("/{upload_id}/cancel")
def cancel(place: Sender, upload_id: UploadId) -> Response:
    """Give an upload up."""
    found = mine(place, upload_id)
    note(place.here, place.caller, "upload.cancelled", tenant=place.tenant, object=found.id)
    desk_of(place).cancel(found)
    return RedirectResponse(f"/t/{place.tenant}/upload", status_code=303)


def _listed(place: Place) -> dict[str, Any]:
    desk = desk_of(place)
    found = desk.mine(place.tenant, place.caller.person.subject, limit=SHOWN)
    rows = []
    for upload in found:
        outcome = outcome_of(desk, upload)
        there = sum(part.size_bytes for part in desk.parts(upload))
        rows.append({"upload": upload, "outcome": outcome, "there_bytes": there})
    return {"rows": rows, "succeeded": JobState.SUCCEEDED, "size": _size}


def _size(size_bytes: int) -> str:
    """Return a length for people, in powers of ten as browsers' file dialogs have it."""
    amount, unit = float(size_bytes), "byte"
    for unit in ("byte", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.1f} {unit}" if unit in {"MB", "GB"} else f"{amount:.0f} {unit}"
