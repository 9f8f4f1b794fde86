"""Files of ours that pages load: styles and scripts, under addresses that change with their content.

Third-party code comes from npm at set-up or when the wheel is built, into ``vendor/``; where it is missing
the pages that need it say so, and the others work.
"""

import hashlib
from functools import cache
from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PORTAL = Path(__file__).parents[1]
FOLDERS = {"static": PORTAL / "static", "vendor": PORTAL / "vendor"}
#: An address with a hash means the same file for ever.
_FOR_EVER = "public, max-age=31536000, immutable"


def address_of(name: str) -> str:
    """Return the address of a file, e.g. of ``static/portal.css``, or empty where it is not there.

    That it is not there is looked at each time: browser code may be brought while a portal answers.
    """
    folder, _, rest = name.partition("/")
    path = FOLDERS[folder] / rest
    return f"/{name}?v={_mark(path)}" if path.is_file() else ""


@cache
def _mark(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def mount(app: FastAPI) -> None:
    """Let an application answer with them."""
    for name, folder in FOLDERS.items():
        app.mount(f"/{name}", _Files(directory=folder, check_dir=False), name=name)


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        packed = Path(str(self.directory), f"{path}.gz")
        takes = "gzip" in Headers(scope=scope).get("accept-encoding", "")
        if takes and packed.is_file():
            answer = await super().get_response(f"{path}.gz", scope)
            answer.headers["Content-Encoding"] = "gzip"
        else:
            answer = await super().get_response(path, scope)
        if answer.status_code in {200, 304}:
            kept = _FOR_EVER if b"v=" in scope["query_string"] else "no-cache"
            answer.headers["Cache-Control"] = kept
            answer.headers["Vary"] = "Accept-Encoding"
        return answer
