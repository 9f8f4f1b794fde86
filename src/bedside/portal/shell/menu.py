"""What the menu of a page offers: the areas that somebody may enter, and nothing else."""

from dataclasses import dataclass

from bedside.domain.person import Right
from bedside.portal.access.caller import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """An entry of the menu.

    Attributes:
        text: Key of its text.
        path: Where it leads; ``{tenant}`` is where the page is.
        right: What is needed there.
        other: What does as well.
    """

    text: str
    path: str
    right: Right
    other: Right | None = None


#: In a tenant, in the order of a clinician's day.
IN_TENANT: tuple[Door, ...] = (
    Door(text="upload.menu", path="/t/{tenant}/upload", right=Right.SEND),
    Door(text="follow.menu_studies", path="/t/{tenant}/studies", right=Right.READ, other=Right.OPERATE),
    Door(text="follow.menu_jobs", path="/t/{tenant}/jobs", right=Right.READ, other=Right.OPERATE),
    Door(text="judging.menu", path="/t/{tenant}/judgements", right=Right.READ, other=Right.OPERATE),
)
#: About the whole deployment; for whoever has the right somewhere.
EVERYWHERE: tuple[Door, ...] = (
    Door(text="operate.menu", path="/operate", right=Right.OPERATE),
    Door(text="people.people", path="/admin/people", right=Right.ADMINISTER),
    Door(text="tenants.menu", path="/admin/tenants", right=Right.ADMINISTER),
    Door(text="audit.menu", path="/audit", right=Right.ADMINISTER),
)


def menu_of(caller: Caller | None, tenant: str) -> list[tuple[str, str]]:
    """Return (key of the text, address) of what somebody may enter from where they are."""
    if caller is None:
        return []
    person = caller.person
    inside = [
        door
        for door in IN_TENANT
        if tenant and (person.may(door.right, tenant) or (door.other and person.may(door.other, tenant)))
    ]
    outside = [door for door in EVERYWHERE if any(door.right in post.rights for post in person.posts)]
    return [(door.text, door.path.format(tenant=tenant)) for door in (*inside, *outside)]
