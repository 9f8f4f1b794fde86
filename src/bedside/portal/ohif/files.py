"""The viewer's files at ``/ohif/-/``, packed as they lie there, under the policy that the viewer needs.

No tenant is called ``-``, so the address is free. The policy stands on files too, since a worker's is that
of its own script, not that of the page.
"""

import gzip
import mimetypes
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from bedside.portal.shell.statics import FOLDERS

#: Where its bundles believe to be (`tools/browser_ohif.py`).
BASE: Final = "/ohif/-/"
#: Names hold a hash of the content.
_FOR_EVER = "public, max-age=31536000, immutable"

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        # Its decoders are WebAssembly, and what reads segmentations compiles its loops as it runs (ndarray).
        "script-src 'self' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",  # React and its parts set styles as they draw
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def folder() -> Path:
    """Return where the viewer lies, whether it is there or not."""
    return FOLDERS["vendor"] / "ohif"


def address_of(pattern: str) -> str:
    """Return the address of the viewer's file with such a name, or empty where it is not there."""
    found = sorted(folder().glob(f"{pattern}*"))
    return BASE + found[0].name.removesuffix(".gz") if found else ""


def entry() -> str:
    """Return the address of the script that starts it, or empty where the viewer is not there."""
    return address_of("app.bundle.*.js")


def mount(app: FastAPI) -> None:
    """Let an application answer with the viewer's files."""
    app.mount(BASE, Starlette(routes=[Route("/{name:path}", _file)]), name="ohif")


def _file(request: Request) -> Response:
    name: str = request.path_params["name"]
    root = folder().resolve()
    path = (root / name).resolve()
    packed = path.with_name(f"{path.name}.gz")
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {"Cache-Control": _FOR_EVER, "Content-Security-Policy": POLICY, "Vary": "Accept-Encoding"}
    if not path.is_relative_to(root):
        raise HTTPException(404)
    if path.is_file():
        return FileResponse(path, media_type=kind, headers=headers)
    if not packed.is_file():
        raise HTTPException(404)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return FileResponse(packed, media_type=kind, headers={**headers, "Content-Encoding": "gzip"})
    return Response(gzip.decompress(packed.read_bytes()), media_type=kind, headers=headers)
