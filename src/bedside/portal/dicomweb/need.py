"""Who may read, remembered for a moment: a viewer asks for hundreds of frames with the same session.

Finding out who asks costs more than a frame does. What was found out is believed for
`bedside.portal.dicomweb.desk.BELIEVED_S`; a session that ends, or a right that is taken away, ends here as
much later.
"""

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request

from bedside.domain.person import Right
from bedside.portal.access.need import Place, within
from bedside.portal.dicomweb.desk import desk_of


def reading() -> Callable[[Request, str], Coroutine[Any, Any, Place]]:
    """Return the need of `Right.READ` in the tenant of the path, for what changes nothing."""
    needed = within(Right.READ)

    async def believed(request: Request, tenant: str) -> Place:
        # All of each: a cookie may stand in a header of its own, beside others that many people have.
        brought = [request.headers.getlist(name) for name in ("authorization", "cookie")]
        if not any(brought):
            return await needed(request, tenant)
        key = (hashlib.sha256(repr(brought).encode()).hexdigest(), tenant)
        places = desk_of(request).places
        place = places.get(key)
        if place is None:
            place = await needed(request, tenant)
            places.put(key, place)
        return place

    for name in ("right", "rights"):  # read by the test that walks all routes
        setattr(believed, name, getattr(needed, name))
    return believed
