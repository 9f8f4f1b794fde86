"""How long a request may be. Forms and JSON are read whole before it is known who sends them.

Owns the one bound for all of them, and the list of what may be longer: addresses whose routes ask who it is
first, and then read piece by piece under a bound of their own.
"""

import re
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: Of a request; the longest texts of ours are rules, a twentieth of this.
MOST_BYTES: Final = 2 * 2**20
#: Of a form with the beginning of a DICOM file (`bedside.portal.operate.rules.HEAD_BYTES`).
MOST_FILE_BYTES: Final = 64 * 2**20 + MOST_BYTES
#: Read piece by piece.
STREAMED: Final = re.compile(
    r"POST /dicomweb/[^/]+/studies(/[^/]+)?"
    r"|PUT /api/v1/tenants/[^/]+/uploads/[^/]+/parts/[^/]+"
    r"|POST /api/v1/tenants/[^/]+/results/[^/]+/corrections"
    r"|POST /api/v1/operate/rules/test/file"
)
_WITH_FILE: Final = "POST /operate/rules/test"


class Bodies:
    """Refuses the rest of a request that is too long, where it is read. Plain ASGI: answers pass."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and count what is read meanwhile."""
        asked = f"{scope['method']} {scope['path']}" if scope["type"] == "http" else ""
        if not asked or STREAMED.fullmatch(asked):
            await self._app(scope, receive, send)
            return
        most_bytes = MOST_FILE_BYTES if asked == _WITH_FILE else MOST_BYTES
        came_bytes = 0

        async def counted() -> Message:
            nonlocal came_bytes
            message = await receive()
            came_bytes += len(message.get("body", b""))
            if came_bytes > most_bytes:
                raise HTTPException(413, f"more than the {most_bytes} bytes that a request may have here")
            return message

        await self._app(scope, counted, send)
