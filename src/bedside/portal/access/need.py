"""What a route asks for before it answers: somebody, or somebody with a right in the tenant of its path.

Every route says its need by one of these, so that the list of routes with their needs is the list of who
may do what (the tests walk it). A route that says none is refused at start: forgetting must not open.
"""

import hmac
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from bedside.domain.person import Right
from bedside.domain.tenant import name_of
from bedside.errors import ErrorCode, NotFound, NotPermitted, NotSignedIn, UsageError, told
from bedside.portal.access.caller import Caller, Means
from bedside.portal.here import Here, here
from bedside.ports import BlobStore

#: Methods that change nothing.
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: Scripts send the token as a header: what comes there may be long, and is no form.
_SCRIPTS = ("/api/", "/dicomweb/")
#: Header and form field that bring a session's token against forged requests.
CSRF_HEADER, CSRF_FIELD = "X-CSRF-Token", "csrf"


async def anybody(request: Request) -> Caller | None:
    """Need nothing; return who asks, if known."""
    parts: Here = here(request)
    try:
        return await run_in_threadpool(parts.gate.caller, request)
    except NotSignedIn:
        return None


async def somebody(request: Request) -> Caller:
    """Need somebody who is signed in, whatever their rights.

    Raises:
        NotSignedIn: Nobody is.
        NotPermitted: A form of another site sent this.
    """
    caller = await run_in_threadpool(here(request).gate.caller, request)
    if caller is None:
        raise NotSignedIn(
            "nobody is signed in",
            hint="sign in, or send a token as Authorization: Bearer",
            told=told(ErrorCode.NOT_SIGNED_IN),
        )
    await _check_forgery(request, caller)
    request.state.caller = caller
    return caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A tenant, and who works in it by right.

    Attributes:
        caller: Who asks.
        tenant: Name of the tenant, as in keys.
        here: The portal.
    """

    caller: Caller
    tenant: str
    here: Here

    @property
    def store(self) -> BlobStore:
        """The tenant's objects."""
        return self.here.deployment.blobs.tenant(self.tenant)


def within(right: Right, *others: Right) -> Callable[[Request, str], Coroutine[Any, Any, Place]]:
    """Return what needs a right in the tenant that the path names, as ``{tenant}``.

    Where others are named, any of them does; the route shows each person no more than is theirs. A tenant
    that is not served is found by whoever would have the right there, and by nobody else.
    """

    async def needed(request: Request, tenant: str) -> Place:
        caller = await somebody(request)
        parts: Here = here(request)
        try:
            name = name_of(tenant)
        except UsageError as exc:
            raise NotFound("no such tenant", told=told(ErrorCode.TENANT_MISSING)) from exc
        if not any(caller.person.may(other, name) for other in others):
            caller.person.must(right, name)
        known = await run_in_threadpool(lambda: parts.deployment.tenants.known)
        if name not in known:
            raise NotFound(
                f"no tenant {tenant}", hint="bedside tenant list", told=told(ErrorCode.TENANT_MISSING)
            )
        return Place(caller=caller, tenant=name, here=parts)

    needed.right = right  # type: ignore[attr-defined]  # read by the test that walks all routes
    needed.rights = frozenset({right, *others})  # type: ignore[attr-defined]  # as above
    return needed


def anywhere(right: Right) -> Callable[[Request], Coroutine[Any, Any, Caller]]:
    """Return what needs a right at some node at least; the route narrows what it shows to those nodes."""

    async def needed(request: Request) -> Caller:
        caller = await somebody(request)
        if not any(right in post.rights for post in caller.person.posts):
            raise NotPermitted(
                f"person {caller.person.subject}: no right to {right} anywhere",
                told=told(ErrorCode.NO_RIGHT, right=right.value),
            )
        return caller

    needed.right = right  # type: ignore[attr-defined]  # as above
    return needed


def at_root(right: Right) -> Callable[[Request], Coroutine[Any, Any, Caller]]:
    """Return what needs a right at the root of the tree: it is about the whole deployment."""

    async def needed(request: Request) -> Caller:
        caller = await somebody(request)
        if not any(right in post.rights and not post.node for post in caller.person.posts):
            raise NotPermitted(
                f"person {caller.person.subject}: no right to {right} for the whole deployment",
                told=told(ErrorCode.NO_RIGHT, right=right.value),
            )
        return caller

    needed.right = right  # type: ignore[attr-defined]  # as above
    return needed


Anybody = Annotated[Caller | None, Depends(anybody)]
Somebody = Annotated[Caller, Depends(somebody)]


async def _check_forgery(request: Request, caller: Caller) -> None:
    """Refuse a change that a browser's cookie alone would allow: other sites can send those."""
    if request.method in SAFE or caller.means is not Means.SESSION:
        return
    given = request.headers.get(CSRF_HEADER, "")
    kind = request.headers.get("content-type", "").partition(";")[0]
    is_form = kind in {"application/x-www-form-urlencoded", "multipart/form-data"}
    if not given and is_form and not request.url.path.startswith(_SCRIPTS):
        given = str((await request.form()).get(CSRF_FIELD, ""))
    if not given or not _same(given, caller.csrf):
        raise NotPermitted(
            "request without the token of its session",
            hint="load the page again",
            told=told(ErrorCode.FORM_STALE),
        )


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
