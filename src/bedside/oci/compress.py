"""Compression of layers: the same bytes on every machine, as fast as the machine allows.

Owns the algorithms, their levels and their names in OCI. Both algorithms work in pieces of a fixed
size, so that several threads may share the work and their number changes nothing. ISA-L stays below
level 3, because only there its output is the same for every instruction set (see
docs/decisions/070-compression-of-layers.md).
"""

import os
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from enum import StrEnum
from typing import BinaryIO, cast

import isal
import zstandard
from isal import igzip, isal_zlib

from bedside.errors import ConfigError
from bedside.oci.descriptor import DOCKER_LAYER_GZIP, LAYER, LAYER_GZIP, LAYER_ZSTD

BLOCK_BYTES = 1 << 20
GZIP_LEVEL = 2
ZSTD_LEVEL = 9
#: A deflate stream may look this far back; each block is compressed knowing the end of the one before.
_WINDOW_BYTES = 1 << 15
#: Magic, deflate, no flags, no time, no extra flags, unknown system.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


class Compression(StrEnum):
    """How the tar of a layer is compressed."""

    GZIP = "gzip"
    ZSTD = "zstd"
    NONE = "none"

    @property
    def media_type(self) -> str:
        """The media type of a layer compressed so."""
        return {"gzip": LAYER_GZIP, "zstd": LAYER_ZSTD, "none": LAYER}[self.value]

    @property
    def fingerprint(self) -> str:
        """What determines the compressed bytes besides the content: program, version, level, block."""
        return {
            "gzip": f"isal-{isal.__version__}-{GZIP_LEVEL}-{BLOCK_BYTES}",
            "zstd": f"zstd-{'.'.join(map(str, zstandard.ZSTD_VERSION))}-{ZSTD_LEVEL}",
            "none": "none",
        }[self.value]


def compress(chunks: Iterable[bytes], compression: Compression) -> Iterator[bytes]:
    """Compress a stream.

    Args:
        chunks: The stream in pieces of any size.
        compression: How.

    Yields:
        The compressed stream in pieces; the same bytes however the input was cut.
    """
    if compression is Compression.GZIP:
        return _gzip(blocks(chunks, BLOCK_BYTES))
    if compression is Compression.ZSTD:
        return _zstd(blocks(chunks, BLOCK_BYTES))
    return iter(chunks)


def decompressed(stream: BinaryIO, media_type: str) -> BinaryIO:
    """Return a reader of the tar within a layer.

    Args:
        stream: The blob, at its start; must be able to seek.
        media_type: Of the layer. Its bytes decide where the two disagree, as they do in the field.

    Raises:
        ConfigError: The media type is none that bedside reads.
    """
    start = stream.read(4)
    stream.seek(0)
    kind = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "")
    if kind == "gzip":
        return cast(BinaryIO, igzip.open(stream, "rb"))  # type: ignore[no-untyped-call]
    if kind == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
    if media_type in (LAYER_GZIP, LAYER_ZSTD, DOCKER_LAYER_GZIP):
        raise ConfigError(f"layer: called {media_type}, but its bytes are neither gzip nor zstd")
    return stream


def blocks(chunks: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """Cut a stream into blocks of one size; the last may be shorter. What is cut already passes uncopied."""
    waiting = bytearray()
    for chunk in chunks:
        if not waiting and len(chunk) == size_bytes:
            yield chunk
            continue
        waiting += chunk
        while len(waiting) >= size_bytes:
            with memoryview(waiting) as view:
                block = bytes(view[:size_bytes])
            del waiting[:size_bytes]
            yield block
    if waiting:
        yield bytes(waiting)


def _gzip(stream: Iterable[bytes]) -> Iterator[bytes]:
    checksum, length = 0, 0

    def blocks_before() -> Iterator[tuple[bytes, bytes]]:
        nonlocal checksum, length
        before = b""
        for block in stream:
            checksum = isal_zlib.crc32(block, checksum)
            length += len(block)
            yield block, before
            before = block[-_WINDOW_BYTES:]

    yield _GZIP_HEADER
    for pieces in _deflated(blocks_before()):
        yield from pieces
    yield b"\x03\x00"  # an empty last block
    yield checksum.to_bytes(4, "little") + (length & 0xFFFFFFFF).to_bytes(4, "little")


def _deflated(found: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Compress blocks in their order, each with the one before it.

    By several threads only where there are cores besides those that hash and write: on two, 20 MB take 48 ms
    with them and 38 without.
    """
    threads = _threads() - 2
    if threads < 2:
        yield from (_deflate(*one) for one in found)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="gzip") as pool:
        running: deque[Future[tuple[bytes, bytes]]] = deque()
        for one in found:
            running.append(pool.submit(_deflate, *one))
            if len(running) > 2 * threads:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _deflate(block: bytes, before: bytes) -> tuple[bytes, bytes]:
    """Compress one block to whole bytes, without an end of stream; two pieces, as joining them is a copy."""
    deflater = isal_zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=before)
    return bytes(deflater.compress(block)), bytes(deflater.flush(isal_zlib.Z_SYNC_FLUSH))


def _zstd(stream: Iterable[bytes]) -> Iterator[bytes]:
    # With one worker or many the bytes are the same; without any they would be others.
    compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL, threads=_threads(), write_checksum=True)
    encoder = compressor.compressobj()
    for block in stream:
        piece = encoder.compress(block)
        if piece:
            yield piece
    yield encoder.flush()


def _threads() -> int:
    return max(1, min(8, len(os.sched_getaffinity(0))))
