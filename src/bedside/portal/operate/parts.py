"""What the pages of operators are made from: kept for as long as the portal's process lives."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import Response

from bedside.domain.figures import Scope
from bedside.domain.person import Right
from bedside.operate.disk import DiskGauge
from bedside.operate.overview import Overviews, Watched
from bedside.operate.ready import Readiness
from bedside.operate.replay import Replayer
from bedside.operate.tasks import ReplayTasks
from bedside.portal.access.caller import Caller
from bedside.portal.access.need import anywhere, at_root
from bedside.portal.here import Here, here
from bedside.portal.operate.said import SAID
from bedside.worker.sweep import is_held, worker_lock

#: Operates some tenants at least; the whole deployment.
Operator = Annotated[Caller, Depends(anywhere(Right.OPERATE))]
Engineer = Annotated[Caller, Depends(at_root(Right.OPERATE))]

_making = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """The parts that live on between answers.

    Attributes:
        overviews: Figures, kept for a moment.
        readiness: Whether ledger and store answer.
        replayer: Replays rules.
        replays: Those under way, and the last ones.
    """

    overviews: Overviews
    readiness: Readiness
    replayer: Replayer
    replays: ReplayTasks


def operating(request: Request) -> Operating:
    """Return the parts of the portal that was asked; made when first needed."""
    state = request.app.state
    with _making:
        found: Operating | None = getattr(state, "operating", None)
        if found is None:
            found = state.operating = _made(here(request))
        return found


InOperating = Annotated[Operating, Depends(operating)]


def scope_of(parts: Here, caller: Caller) -> Scope:
    """Return whose figures somebody may see; None is everybody's."""
    if at_the_root(caller):
        return None
    return frozenset(caller.person.tenants(Right.OPERATE, parts.deployment.tenants.known))


def at_the_root(caller: Caller) -> bool:
    """Whether somebody operates the whole deployment."""
    return any(Right.OPERATE in post.rights and not post.node for post in caller.person.posts)


def tabs(caller: Caller) -> Sequence[tuple[str, str]]:
    """Return (key of the text, address) of the pages of this area that somebody may enter."""
    some = [("operate.tab_overview", "/operate"), ("operate.tab_dead", "/operate/dead")]
    whole = [
        ("operate.tab_rules", "/operate/rules"),
        ("operate.tab_releases", "/operate/releases"),
        ("operate.tab_notices", "/operate/notices"),
        ("operate.tab_settings", "/operate/settings"),
    ]
    return [*some, *(whole if at_the_root(caller) else whole[:1])]


def page(
    request: Request, parts: Here, caller: Caller, template: str, /, *, status: int = 200, **values: Any
) -> Response:
    """Return a page of this area."""
    return parts.pages.render(
        request, f"operate/{template}", caller=caller, status=status, tabs=tabs(caller), **SAID, **values
    )


def _made(parts: Here) -> Operating:
    deployment = parts.deployment
    settings, clock, figures = deployment.settings, deployment.clock, deployment.records.figures
    here_ = not settings.store.url
    disk = DiskGauge(deployment.root, store_here=here_, tenants=lambda: deployment.tenants.known, clock=clock)
    return Operating(
        overviews=Overviews(
            Watched(
                figures=figures,
                ledger=deployment.ledger,
                settings=settings,
                disk=disk,
                alive=lambda worker: is_held(worker_lock(deployment.scratch, worker)),
                clock=clock,
            )
        ),
        readiness=Readiness(
            ledger=deployment.ledger,
            blobs=deployment.blobs,
            tenants=deployment.tenants,
            root=deployment.root if here_ else None,
            clock=clock,
        ),
        replayer=Replayer(
            ledger=deployment.ledger,
            figures=figures,
            blobs=deployment.blobs,
            clock=clock,
            scratch=deployment.scratch / "replay",
        ),
        replays=ReplayTasks(),
    )
