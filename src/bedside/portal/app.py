"""The application: its areas, its middleware and its answers to errors, put together over one deployment."""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

from bedside import __version__
from bedside.portal.access.gate import Gate
from bedside.portal.access.origin import Origin
from bedside.portal.audit import api as audit_api
from bedside.portal.audit import pages as audit_pages
from bedside.portal.dicomweb import routes as dicomweb
from bedside.portal.federated import api as federated_api
from bedside.portal.federated import pages as federated
from bedside.portal.follow import api as follow_api
from bedside.portal.follow import desk, live
from bedside.portal.follow import pages as follow_pages
from bedside.portal.here import Here
from bedside.portal.home import pages as home
from bedside.portal.judging import api as judging_api
from bedside.portal.judging import pages as judging_pages
from bedside.portal.ohif import files as ohif_files
from bedside.portal.ohif import images as ohif_images
from bedside.portal.ohif import viewer as ohif_viewer
from bedside.portal.operate import routes as operate
from bedside.portal.people import routes as people
from bedside.portal.results import api as results_api
from bedside.portal.results import images as results_images
from bedside.portal.results import pages as results_pages
from bedside.portal.second import api as second_api
from bedside.portal.second import asking as second_asking
from bedside.portal.second import pages as second_pages
from bedside.portal.shell import document, errors, headers, statics
from bedside.portal.shell.bodies import Bodies
from bedside.portal.shell.pages import Pages
from bedside.portal.tenants import api as tenants_api
from bedside.portal.tenants import pages as tenants_pages
from bedside.portal.upload import api as upload_api
from bedside.portal.upload import pages as upload_pages
from bedside.wiring import Deployment

#: Of every area: what it answers to. The order is that of the API's document, too.
ROUTERS: Sequence[APIRouter] = (
    *dicomweb.ROUTERS,  # first, but last in the document: viewers ask hundreds of times a second
    home.router,
    *people.ROUTERS,
    upload_pages.router,
    upload_api.router,
    federated.router,
    federated_api.router,
    second_asking.router,
    second_pages.router,
    second_api.router,
    tenants_pages.router,
    tenants_api.router,
    audit_pages.router,
    audit_api.router,
    follow_pages.router,
    follow_api.router,
    live.router,
    results_pages.router,
    results_api.router,
    results_images.router,
    judging_pages.router,
    judging_api.router,
    ohif_images.router,
    ohif_viewer.router,
    *operate.ROUTERS,
)

DESCRIPTION = "Everything that the pages do, a script can do with a token: `Authorization: Bearer …`."


def create_app(deployment: Deployment, gate: Gate) -> FastAPI:
    """Return the portal of a deployment.

    Args:
        deployment: What it shows; stays open, and is closed by the caller.
        gate: Knows who asks.
    """
    app = FastAPI(
        title="bedside",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        responses=document.RESPONSES,
    )
    document.add(app, dicomweb.SCHEMAS)
    app.state.here = Here(deployment=deployment, gate=gate, pages=Pages(deployment.settings.portal))
    headers.add(app, deployment.settings.portal)
    app.add_middleware(Origin)
    app.add_middleware(Bodies)
    errors.add(app)
    statics.mount(app)
    ohif_files.mount(app)
    desk.add(app, deployment)
    for router in ROUTERS:
        app.include_router(router)
    return app
