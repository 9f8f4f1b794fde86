"""The tree of tenants for scripts."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks
from pydantic import BaseModel, Field

from bedside.domain.person import PersonRole, Right
from bedside.domain.tenant import Ending, path_of
from bedside.portal.access.need import Somebody
from bedside.portal.here import InHere
from bedside.portal.tenants import changing, showing
from bedside.portal.tenants.needs import Administrator, AtNode
from bedside.tenants.tree import Node

router = APIRouter(prefix="/api/v1", tags=["tenants"])

Path = Annotated[str, Field(min_length=1, max_length=200, description="E.g. hospital/radiology/ct.")]


class TenantShown(BaseModel):
    """A tenant in which the caller may do something."""

    name: str = Field(description="With dots, as in addresses.")
    path: str = Field(description="As people write it.")
    rights: list[Right] = Field(description="What the caller may do there.")


class NodeShown(BaseModel):
    """A node of the tree."""

    name: str
    path: str
    state: str = Field(description="making, active, closing, closed, configured, not served, or branch.")
    made_at: datetime | None
    closed_at: datetime | None
    ending: Ending | None
    place: str = Field(description="Where it is archived to.")


class WorkingShown(BaseModel):
    """Somebody with a role at a node."""

    person: str = Field(description="Number of the account.")
    role: PersonRole
    node: str = Field(description="Where the role was given; empty is the root.")
    inherited: bool


class NodeDetails(NodeShown):
    """A node, and who works there."""

    drop_box: str = Field(description="Where studies are put; empty where none are taken.")
    people: list[WorkingShown]
    stopped: str = Field(description="Why its ending broke off; empty where it did not.")


class NewTenant(BaseModel):
    """A tenant that is to be made."""

    path: Path
    own_buckets: bool = Field(False, description="On AWS: buckets for this tenant alone.")


class MadeShown(BaseModel):
    """A tenant that is served now."""

    name: str
    things: list[str] = Field(description="What it has, in words.")
    adopted: bool = Field(description="It had data before it was recorded.")


class Area(BaseModel):
    """Objects of one area."""

    objects: int
    bytes: int


class InventoryShown(BaseModel):
    """How much a tenant has."""

    areas: dict[str, Area]
    jobs: dict[str, int]
    things: list[str]


class End(BaseModel):
    """How a tenant is to end."""

    ending: Ending
    confirm: str = Field(max_length=200, description="Its path once more: what is removed is gone.")
    place: str = Field("", max_length=1000, description="One of portal.archives, for archive.")
    storage_class: str = Field("", max_length=40, description="Of copies in S3.")


class EndBegun(BaseModel):
    """It is being ended; ask for the node to see how far it is."""

    name: str


@router.get("/tenants")
def tenants(here: InHere, caller: Somebody) -> list[TenantShown]:
    """The tenants in which the caller may do something."""
    return [
        TenantShown(name=name, path=path_of(name), rights=rights)
        for name in here.deployment.tenants.known
        if (rights := [right for right in Right if caller.person.may(right, name)])
    ]


@router.get("/admin/tenants")
def tree(here: InHere, caller: Administrator) -> list[NodeShown]:
    """The nodes that the caller administers, each before those below it."""
    return [_shown(node) for node in showing.administered_tree(here, caller.person)]


@router.post("/admin/tenants", status_code=201)
def make(here: InHere, caller: Administrator, new: NewTenant) -> MadeShown:
    """Make a tenant, or finish what broke off; it is served within seconds."""
    made = changing.make(here, caller, new.path, own_buckets=new.own_buckets)
    return MadeShown(name=made.tenant.name, things=list(made.things), adopted=made.adopted)


@router.get("/admin/tenants/{node}")
def show(place: AtNode) -> NodeDetails:
    """A node, and who works there by which role."""
    here, node = place.here, place.node
    return NodeDetails(
        **_shown(node).model_dump(),
        drop_box=showing.drop_box(here, node),
        people=[
            WorkingShown(
                person=each.account.id, role=each.post.role, node=each.post.node, inherited=each.inherited
            )
            for each in showing.working_at(here, node.name)
        ],
        stopped=changing.stopped(here, node.name),
    )


@router.get("/admin/tenants/{node}/inventory")
def inventory(place: AtNode) -> InventoryShown:
    """How much a tenant has; counted object by object."""
    found = showing.inventory_of(place.here, place.node)
    if found is None:
        return InventoryShown(areas={}, jobs={}, things=[])
    return InventoryShown(
        areas={area: Area(objects=number, bytes=size) for area, (number, size) in found.areas.items()},
        jobs={state.value: number for state, number in found.jobs.items()},
        things=list(found.things),
    )


@router.post("/admin/tenants/{node}/close", status_code=202)
def close(place: AtNode, how: End, later: BackgroundTasks) -> EndBegun:
    """Begin to archive or remove everything of a tenant, or go on where it broke off."""
    wish = changing.EndWish(
        ending=how.ending, confirm=how.confirm, place=how.place, storage_class=how.storage_class
    )
    later.add_task(changing.end(place, wish))
    return EndBegun(name=place.node.name)


def _shown(node: Node) -> NodeShown:
    record = node.record
    return NodeShown(
        name=node.name,
        path=node.path,
        state=node.state,
        made_at=record.made_at if record else None,
        closed_at=record.closed_at if record else None,
        ending=record.ending if record else None,
        place=record.place if record else "",
    )
