"""Answers that are files of a result: one, a part of one, or all as a ZIP that is made while it is sent.

Owns what may be asked for (files that the result lists, and nothing else), names of downloads (the job's
id, never a patient's name), and ranges. See RFC 9110, 8.8.3, 13.1 and 14.
"""

import mimetypes
import re
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from bedside.domain.result import RESULT_FILE
from bedside.errors import ErrorCode, NotFound, told
from bedside.judging.versions import MaskVersion
from bedside.portal.results.found import Found
from bedside.ports import BlobStore
from bedside.viewing.document import ResultFile
from bedside.viewing.zipped import Packed, zip_of

_PIECE_BYTES = 2**18
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")  # nothing here is so long
_TYPES = {
    ".dcm": "application/dicom",
    ".stl": "model/stl",
    ".gz": "application/gzip",
    ".json": "application/json",
}
#: Paths that bedside gives: made of a label's name, never of a patient's.
_OURS = re.compile(r"(dicom|surfaces|nifti)/[a-z0-9_-]{1,80}(\.[a-z]{2,3}){1,2}|preview\.png|result\.json")
#: Enough of a job's id to tell results apart in a folder of downloads.
_ID_SHOWN = 12


def listed(found: Found, store: BlobStore, path: str) -> ResultFile:
    """Return a file of a result by its path.

    Raises:
        NotFound: The result lists no such file; nothing else can be named.
    """
    if path == RESULT_FILE:
        blob = store.stat(f"{found.result.prefix}/{RESULT_FILE}")
        if blob is not None:
            mark = f"{found.result.job_id}-{blob.size_bytes}-{found.result.created_at.timestamp()}"
            return ResultFile(path=path, sha256=mark, size_bytes=blob.size_bytes)
    file = found.document.file(path)
    if file is None:
        raise NotFound("the result has no such file", told=told(ErrorCode.FILE_MISSING))
    return file


def plain_name(file: ResultFile) -> str:
    """Return a file's path for the trail, or its hash where a stranger's program named it."""
    return file.path if _OURS.fullmatch(file.path) else f"sha256:{file.sha256[:16]}"


def answer(
    request: Request,
    store: BlobStore,
    found: Found,
    file: ResultFile,
    *,
    inline: bool = False,
    name: str = "",
) -> Response:
    """Answer with one file, or the range of it that is asked for.

    Args:
        request: May ask for a range, or name what it has.
        store: The tenant's objects.
        found: The result.
        file: One of it.
        inline: To be shown, not saved.
        name: To save it under, behind the job's id; its own where this is empty.

    Raises:
        NotFound: It is gone.
    """
    key = f"{found.result.prefix}/{file.path}"
    etag = f'"{file.sha256}"'
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition(found, name or file.path, inline=inline),
    }
    if _matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    blob = store.stat(key)
    if blob is None:
        raise NotFound(
            "this file of the result is not in the store any more", told=told(ErrorCode.RESULT_GONE)
        )
    size, start, end, status = blob.size_bytes, 0, blob.size_bytes, 200
    wanted = request.headers.get("range", "")
    if wanted and request.headers.get("if-range", etag) == etag:
        part = range_of(wanted, size)
        if part == (0, 0):
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
        if part is not None:
            start, end, status = *part, 206
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    body = iter(()) if request.method == "HEAD" else _pieces(store, key, start, end)
    return StreamingResponse(body, status_code=status, headers=headers, media_type=type_of(file.path))


def corrected(store: BlobStore, found: Found, version: MaskVersion) -> ResultFile | None:
    """Return a corrected segmentation as a file of its result, or None where it is not there any more."""
    assert version.correction is not None
    blob = store.stat(version.correction.key)
    if blob is None:
        return None
    # Written once, and its id comes from its bytes: as good a mark as their hash.
    path = version.correction.key.removeprefix(f"{found.result.prefix}/")
    return ResultFile(
        path=path,
        sha256=f"{version.id}-{blob.size_bytes}",
        size_bytes=blob.size_bytes,
        sop_instance_uid=version.correction.sop_instance_uid,
    )


def corrected_name(version: MaskVersion) -> str:
    """Return the name to save a correction under: when it was made, and which of them it is."""
    return f"corrected-{version.at:%Y-%m-%d-%H%M}-{version.id[:8]}.dcm"


def archive(store: BlobStore, found: Found, corrections: Sequence[MaskVersion]) -> Response:
    """Answer with all files of a result, and all corrections of it, as one ZIP."""
    name = f"result-{found.result.job_id[:_ID_SHOWN]}"
    files = [*found.document.files, listed(found, store, RESULT_FILE)]
    entries = [
        Packed(key=f"{found.result.prefix}/{f.path}", name=f"{name}/{f.path}", size_bytes=f.size_bytes)
        for f in files
    ]
    for version in corrections:
        if (kept := corrected(store, found, version)) is not None:
            at = f"{name}/corrections/{corrected_name(version)}"
            key = f"{found.result.prefix}/{kept.path}"
            entries.append(Packed(key=key, name=at, size_bytes=kept.size_bytes))
    return StreamingResponse(
        zip_of(store, entries, at=found.result.created_at),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}.zip"'},
    )


def disposition(found: Found, path: str, *, inline: bool) -> str:
    """Return the name to save a file under: the job's id and the file's own name."""
    name = f"{found.result.job_id[:_ID_SHOWN]}-{path.rpartition('/')[2]}"
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    kind = "inline" if inline else "attachment"
    more = f"; filename*=UTF-8''{quote(name, safe='')}" if plain != name else ""
    return f'{kind}; filename="{plain}"{more}'


def type_of(path: str) -> str:
    """Return the media type of a file. Never one that a browser would run."""
    suffix = path[path.rfind(".") :].lower() if "." in path else ""
    guessed = _TYPES.get(suffix) or mimetypes.guess_type(path)[0] or ""
    safe = guessed.startswith(("image/png", "image/jpeg", "text/plain", "text/csv")) or suffix in _TYPES
    return guessed if safe else "application/octet-stream"


def range_of(wanted: str, size: int) -> tuple[int, int] | None:
    """Return (start, end) of a single range; (0, 0) where it lies outside, None where it is to be ignored."""
    found = _RANGE.fullmatch(wanted.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None
    return (start, end) if start < end else (0, 0)


def _matches(given: str, etag: str) -> bool:
    return given.strip() == "*" or etag in [one.strip().removeprefix("W/") for one in given.split(",")]


def _pieces(store: BlobStore, key: str, start: int, end: int) -> Iterator[bytes]:
    with store.open(key) as stream:
        stream.seek(start)
        left = end - start
        while left > 0 and (piece := stream.read(min(left, _PIECE_BYTES))):
            left -= len(piece)
            yield piece
