"""The pages of the tree of tenants."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.person import Right
from bedside.domain.tenant import STORAGE_CLASSES, Ending, TenantState
from bedside.errors import ErrorCode, UsageError, told
from bedside.portal.access.caller import Caller
from bedside.portal.here import Here, InHere
from bedside.portal.tenants import changing, showing
from bedside.portal.tenants.needs import Administrator, AtNode, NodePlace

router = APIRouter(prefix="/admin/tenants", include_in_schema=False)


@router.get("")
def tree(request: Request, here: InHere, caller: Administrator) -> Response:
    """Show the tree, as far as somebody administers it."""
    return _tree(request, here, caller)


@router.post("")
def make(
    request: Request,
    here: InHere,
    caller: Administrator,
    above: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    own_buckets: Annotated[bool, Form()] = False,
) -> Response:
    """Make a tenant below a node, or at the top."""
    path = "/".join(part for part in (above.strip().strip("/"), name.strip().strip("/")) if part)
    try:
        if not name.strip():
            raise UsageError("the name is empty", told=told(ErrorCode.NAME_EMPTY))
        made = changing.make(here, caller, path, own_buckets=own_buckets)
    except UsageError as problem:
        return _tree(request, here, caller, problem=problem, above=above, name=name)
    return RedirectResponse(f"/admin/tenants/{made.tenant.name}?done=made", status_code=303)


@router.get("/{node}")
def show(request: Request, place: AtNode, done: str = "") -> Response:
    """Show a node: how far it is, who works there, how it can be ended."""
    return _node(request, place, done=done)


@router.get("/{node}/inventory")
def inventory(request: Request, place: AtNode) -> Response:
    """Count what a tenant has; takes long where it has very much."""
    return place.here.pages.render(
        request,
        "tenants/inventory.html",
        caller=place.caller,
        node=place.node,
        found=showing.inventory_of(place.here, place.node),
    )


@router.post("/{node}/close")
def close(
    request: Request,
    place: AtNode,
    ending: Annotated[Ending, Form()],
    confirm: Annotated[str, Form()] = "",
    archive: Annotated[str, Form()] = "",
    storage_class: Annotated[str, Form()] = "",
) -> Response:
    """Begin to end a tenant, or go on where it broke off."""
    wish = changing.EndWish(ending=ending, confirm=confirm, place=archive, storage_class=storage_class)
    try:
        go = changing.end(place, wish)
    except UsageError as problem:
        return _node(request, place, problem=problem, status=400)
    address = f"/admin/tenants/{place.node.name}?done=closing"
    return RedirectResponse(address, status_code=303, background=BackgroundTask(go))


def _tree(
    request: Request,
    here: Here,
    caller: Caller,
    *,
    problem: UsageError | None = None,
    above: str = "",
    name: str = "",
) -> Response:
    return here.pages.render(
        request,
        "tenants/tree.html",
        caller=caller,
        status=400 if problem else 200,
        nodes=showing.administered_tree(here, caller.person),
        at_root="" in caller.person.nodes(Right.ADMINISTER),
        own_buckets=bool(here.deployment.settings.store.url),
        problem=problem,
        above=above,
        name=name,
    )


def _node(
    request: Request,
    place: NodePlace,
    *,
    done: str = "",
    problem: UsageError | None = None,
    status: int = 200,
) -> Response:
    here, node = place.here, place.node
    above = node.name.rpartition(".")[0]
    closing = node.record is not None and node.record.state is TenantState.CLOSING
    return here.pages.render(
        request,
        "tenants/node.html",
        caller=place.caller,
        status=status,
        node=node,
        above=above if above and place.caller.person.may(Right.ADMINISTER, above) else "",
        below=[
            other
            for other in showing.administered_tree(here, place.caller.person)
            if other.name.startswith(f"{node.name}.")
        ],
        working=showing.working_at(here, node.name),
        drop_box=showing.drop_box(here, node),
        ended=showing.has_ended(node),
        closing=closing,
        stopped=changing.stopped(here, node.name) if closing else "",
        archives=here.deployment.settings.portal.archives,
        classes=STORAGE_CLASSES,
        is_configured=node.name in here.deployment.settings.system.tenants,
        done=done if done in {"made", "closing"} else "",
        problem=problem,
    )
