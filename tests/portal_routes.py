"""What the portal answers to, and what each route asks for first; for tests that walk all of them."""

from collections.abc import Callable, Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from bedside.domain.person import Right
from bedside.portal.access.need import anybody, somebody
from bedside.portal.app import ROUTERS

#: For anybody, with no need to declare: probes, a choice of language, the ways to sign in.
PUBLIC = {
    "/health",
    "/health/ready",
    "/language/{language}",
    "/sign-in/oidc",
    "/sign-out/oidc",
    "/sign-in/code",
}


def routes() -> list[APIRoute]:
    """Return every route of every area."""
    found = []
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute), f"{route} declares nothing"
            found.append(route)
    return found


def need_of(route: APIRoute) -> tuple[str, frozenset[Right]]:
    """Return what a route's parameters say, the strictest of them, and with which rights."""
    calls = list(_calls(route.dependant))
    by_right = [call for call in calls if hasattr(call, "right")]
    if by_right:
        assert len(by_right) == 1, f"{route.path}: more than one need"
        call = by_right[0]
        rights = frozenset(getattr(call, "rights", {call.right}))  # type: ignore[attr-defined]
        kind = getattr(call, "__qualname__", "").partition(".")[0]
        kinds = {"anywhere": "somewhere", "at_root": "root", "scraper": "root"}
        return kinds.get(kind, "there"), rights
    if somebody in calls:
        return "somebody", frozenset()
    if anybody in calls or route.path in PUBLIC:
        return "nothing", frozenset()
    return "undeclared", frozenset()


def _calls(dependant: Dependant) -> Iterator[Callable[..., object]]:
    for below in dependant.dependencies:
        if below.call is not None:
            yield below.call
        yield from _calls(below)
