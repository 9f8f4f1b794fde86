"""A portal as it is after a day's work: people, departments, a study that was read, and verdicts.

For what looks at every page: accessibility, widths, screenshots.
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from fastapi.routing import APIRoute

from bedside.domain.judgement import RejectionReason, Verdict
from bedside.domain.person import PersonRole, Post
from bedside.judging.judge import Said
from bedside.portal.app import ROUTERS
from portal_accounts import PASSWORD, Clinic, clinic, post
from portal_results import READING, TENANT, Made

__all__ = ["EMAIL", "PASSWORD", "filled", "pages", "routes"]

EMAIL = "rao@ward.example"
#: Everything that somebody may be, so that one person sees every page.
EVERYTHING = (Post(role=PersonRole.ADMIN), post("clinician"), post("engineer"))


@contextmanager
def filled(made: Made, folder: Path, settings: str = READING) -> Iterator[Clinic]:
    """Open a portal over a copy of a study that was read, with people and their work."""
    shutil.copytree(made.folder / "data", folder / "data")
    with clinic(folder, settings + "\n[notify]\nlog = true\n") as opened:
        work(opened, made.job_id)
        yield opened


def work(opened: Clinic, job_id: str) -> None:
    """Let people come, and judge a result."""
    rao = opened.account("rao", *EVERYTHING, language="")
    opened.account("lin", post("clinician", TENANT), post("viewer", "ward-3"))
    opened.account("ortiz", post("engineer", "ward-3"))
    judge = opened.deployment.judge
    said = Said(verdict=Verdict.REJECTED, reason=RejectionReason.BORDER, comment="The upper pole is cut off.")
    judge.judge(TENANT, job_id, said, rao.id)
    judge.judge(TENANT, job_id, Said(verdict=Verdict.ACCEPTED), rao.id)
    opened.deployment.cataloguer.step()


def pages(made: Made, *, account: str, invitation: str) -> Mapping[str, str]:
    """Return the address of every page by the path of its route: each GET that makes HTML and is not a part.

    A page that is new has to be named here or among those that are none, or the test of all pages fails.
    """
    values = {
        "tenant": TENANT,
        "job_id": made.job_id,
        "arrival_id": made.arrival_id,
        "account_id": account,
        "node": TENANT,
        "token": invitation,
    }
    found = {}
    for path in routes():
        if path not in NO_PAGES:
            found[path] = re.sub(r"\{(\w+)\}", lambda hole: values[hole[1]], path)
    return found


def routes() -> list[str]:
    """Return the paths of all routes that browsers open."""
    return [
        route.path
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()) and is_for_people(route.path)
    ]


def is_for_people(path: str) -> bool:
    """Whether a route is no script's."""
    return not path.startswith(("/api/", "/dicomweb/"))


#: Answers that are files, parts of pages, ways to elsewhere, or need what only one test makes.
NO_PAGES = frozenset(
    {
        "/health",
        "/health/ready",
        "/metrics",
        "/language/{language}",
        "/first/{token}",
        "/recover/{token}",
        "/join",
        "/sign-in/code",
        "/sign-in/oidc",
        "/sign-in/oidc/callback",
        "/sign-out/oidc",
        "/me/oidc",
        "/t/{tenant}/upload/list",
        "/audit/export",
        "/t/{tenant}/audit/export",
        "/t/{tenant}/results/{job_id}/preview.png",
        "/t/{tenant}/results/{job_id}/images",
        "/t/{tenant}/studies/{arrival_id}/images",
        "/ohif/{tenant}/segmentation",
        "/operate/rules/replays/{task_id}",
        "/operate/rules/replays/{task_id}/lines.csv",
    }
)
