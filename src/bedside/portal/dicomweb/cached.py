"""Answers that a browser may keep and ask about: by tags that change with what they stand for.

Every use is asked about again (``no-cache``), since rights and results end; what did not change costs no
bytes.
"""

import hashlib

from starlette.requests import Request
from starlette.responses import Response

#: For whoever asked alone, and only after asking again.
PRIVATE = "private, no-cache"


def tag_of(*parts: object) -> str:
    """Return an ETag that changes with any of some parts."""
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def unchanged(request: Request, tag: str) -> Response | None:
    """Return the answer to somebody who has it already, or None."""
    known = request.headers.get("if-none-match", "")
    if known and (known == "*" or tag in {part.strip().removeprefix("W/") for part in known.split(",")}):
        return Response(status_code=304, headers={"ETag": tag, "Cache-Control": PRIVATE})
    return None
