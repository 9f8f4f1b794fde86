"""A part of an upload, from the line to the store as it comes.

Owns the pace: while one batch is hashed and written in a thread, the next one is read, and no more than two
are in memory. What comes in pieces is written in pieces: nothing is joined or copied. A checksum is said
before the bytes (RFC 9530, or S3's header), so that a part that is not what was said is never kept.
"""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Mapping

from starlette.concurrency import run_in_threadpool

from bedside.errors import ErrorCode, InputRejected, Unavailable, UsageError, told
from bedside.ports.parts import PartSink

#: Bytes that are handed to a thread at once.
BATCH_BYTES = 2**20
#: A line that brings nothing for so long is given up.
SILENT_S = 120.0
DIGEST, S3_DIGEST = "Content-Digest", "x-amz-checksum-sha256"
_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):")


def digest_header(sha256: str) -> dict[str, str]:
    """Return the header that says a body's SHA-256 (RFC 9530)."""
    return {DIGEST: f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"}


def told_digest(headers: Mapping[str, str]) -> str:
    """Return the SHA-256 that a request says its body has, as 64 hex digits.

    Raises:
        UsageError: It says none.
    """
    found = _DIGEST.search(headers.get(DIGEST, ""))
    encoded = found[1] if found else headers.get(S3_DIGEST, "")
    try:
        digest = base64.b64decode(encoded, validate=True)
    except ValueError:  # not base64, or not even ASCII
        digest = b""
    if len(digest) != 32:
        raise UsageError(
            "part without its SHA-256", hint="send Content-Digest: sha-256=:BASE64:, see docs/upload.md"
        )
    return digest.hex()


async def pass_on(body: AsyncIterator[bytes], sink: PartSink) -> None:
    """Pass a request's body on to a sink.

    Raises:
        Unavailable: The line went silent.
        InputRejected: There is more of it than the part has.
        ClientDisconnect: The line was cut.
    """
    waiting: list[bytes] = []
    size_bytes = 0
    writing: asyncio.Future[None] | None = None
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(SILENT_S) as patience:
            async for chunk in body:
                patience.reschedule(loop.time() + SILENT_S)
                waiting.append(chunk)
                size_bytes += len(chunk)
                if size_bytes >= BATCH_BYTES:
                    if writing is not None:
                        await writing
                    writing = asyncio.ensure_future(run_in_threadpool(sink.write, waiting))
                    waiting, size_bytes = [], 0
        if writing is not None:
            await writing
        await run_in_threadpool(sink.write, waiting)
    except TimeoutError as exc:
        raise Unavailable(
            f"part: nothing came for {SILENT_S:.0f} s",
            hint="send it again",
            told=told(ErrorCode.PART_SILENT, silent_s=round(SILENT_S)),
        ) from exc
    finally:
        if writing is not None and not writing.done():
            await asyncio.wait([writing])  # it writes into a file that is about to be closed


async def pour_away(body: AsyncIterator[bytes], most_bytes: int) -> None:
    """Read what is left of a refused body, so that its sender hears the answer; not more than a part has.

    Raises:
        InputRejected: It is longer.
        ClientDisconnect: The line was cut.
    """
    size_bytes = 0
    async for chunk in body:
        size_bytes += len(chunk)
        if size_bytes > most_bytes:
            raise InputRejected(
                f"part: more than the {most_bytes} bytes that one has", told=told(ErrorCode.PART_DAMAGED)
            )
