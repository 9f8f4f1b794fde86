"""The page in which the viewer runs, one per tenant, and what it is told: where its studies are."""

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from bedside.domain.person import Right
from bedside.portal.access.need import CSRF_HEADER, Place, within
from bedside.portal.ohif.files import BASE, POLICY, address_of, entry

router = APIRouter(include_in_schema=False)


@router.get("/ohif/{tenant}/segmentation")
def viewer(request: Request, place: Place = Depends(within(Right.READ))) -> Response:
    """Start the viewer; which study it shows stands in the address, and DICOMweb says whether it may."""
    pages = place.here.pages
    script = entry()
    if not script:
        return pages.render(
            request, "ohif/missing.html", caller=place.caller, tenant=place.tenant, status=503, back=""
        )
    words = pages.words(request, place.caller)
    told = {
        "base": f"/ohif/{place.tenant}",
        "files": BASE,
        "dicomweb": f"/dicomweb/{place.tenant}",
        "tenant": place.tenant,
        "csrf": {"name": CSRF_HEADER, "value": place.caller.csrf},
        "corrects": place.caller.person.may(Right.JUDGE, place.tenant),
        "back": words("ohif.back"),
    }
    return pages.render(
        request,
        "ohif/viewer.html",
        caller=place.caller,
        tenant=place.tenant,
        headers={"Content-Security-Policy": POLICY},
        told=told,
        script=script,
        style=address_of("app.bundle.css"),
    )
