"""One blob on its way from a repository into a file: from where it was cut, and checked.

Owns the download. Bytes go into the file as they come, so an attempt, in this process or a later one,
goes on where the last one ended (``Range``); a file is whole only when its digest says so, and one
whose digest is wrong is thrown away and asked for once more.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from bedside.errors import Unavailable
from bedside.oci.descriptor import Descriptor
from bedside.oci.registry.call import Call
from bedside.oci.registry.progress import Progress, Step, Tell, quiet
from bedside.oci.registry.repository import Repository
from bedside.oci.registry.retry import Again, retrying

if TYPE_CHECKING:
    from hashlib import _Hash

_CHUNK_BYTES = 1024 * 1024
_ALGORITHMS = frozenset({"sha256", "sha512"})


def download(repository: Repository, descriptor: Descriptor, path: Path, tell: Tell = quiet) -> None:
    """Bring a blob into a file.

    Args:
        repository: Where from.
        descriptor: Of the blob.
        path: Written to; what an earlier call left there is gone on with.
        tell: Is told what happens.

    Raises:
        NotFound: the repository has no such blob.
        Unavailable: the attempts are used up, or the bytes are others than the digest says.
    """
    wrong = 0

    def attempt() -> None:
        nonlocal wrong
        try:
            digest = _go_on(repository, descriptor, path, tell)
        except Again:
            tell(Progress(descriptor=descriptor, step=Step.RETRYING))
            raise
        if digest != descriptor.digest:
            os.truncate(path, 0)
            wrong += 1
            # Once may have been the line or an old partial file; twice is what the registry has.
            kind = Again if wrong == 1 else Unavailable
            raise kind(
                f"{repository.host}/{repository.name}: gave other bytes (digest {digest}) "
                f"for blob {descriptor.digest}",
                hint="check for a proxy or mirror that changes what it passes on, or push the blob again",
            )

    retrying(repository.connection.options.policy, attempt, repository.connection.pause)
    tell(Progress(descriptor=descriptor, step=Step.DONE, done_bytes=descriptor.size_bytes))


def read_blob(repository: Repository, descriptor: Descriptor) -> bytes:
    """Return a small blob, e.g. an image's config, checked.

    Raises:
        NotFound: the repository has no such blob.
        Unavailable: the bytes are others than the digest says.
    """
    response = repository.connection.send(_call(repository, descriptor, {}))
    digest = _new_hash(descriptor)
    digest.update(response.content)
    if digest.hexdigest() != descriptor.hex:
        raise Unavailable(
            f"{repository.host}/{repository.name}: gave other bytes than those of blob {descriptor.digest}",
            hint="check for a proxy or mirror that changes what it passes on",
        )
    return response.content


def _go_on(repository: Repository, descriptor: Descriptor, path: Path, tell: Tell) -> str:
    """Fetch what is missing, and return the digest of the whole file."""
    digest = _new_hash(descriptor)
    have = 0
    with path.open("ab+") as stream:
        stream.seek(0)
        for chunk in _read(stream.fileno()):
            digest.update(chunk)
            have += len(chunk)
        if have < descriptor.size_bytes:
            headers = {"Range": f"bytes={have}-"} if have else {}
            with repository.connection.exchange(_call(repository, descriptor, headers)) as response:
                if have and response.status_code == httpx.codes.OK:
                    stream.truncate(0)  # the registry knows no ranges: from the beginning
                    digest, have = _new_hash(descriptor), 0
                # As they come: whatever arrived before a cut is kept.
                for chunk in response.iter_raw():
                    digest.update(chunk)
                    stream.write(chunk)
                    have += len(chunk)
                    tell(Progress(descriptor=descriptor, step=Step.MOVING, done_bytes=have))
                    if have > descriptor.size_bytes:
                        break
        stream.flush()
        os.fsync(stream.fileno())
    if have < descriptor.size_bytes:
        raise Again(
            f"{repository.host}/{repository.name}: blob {descriptor.digest} ended after {have} of "
            f"{descriptor.size_bytes} bytes"
        )
    return f"{descriptor.digest.partition(':')[0]}:{digest.hexdigest()}"


def _call(repository: Repository, descriptor: Descriptor, headers: dict[str, str]) -> Call:
    return Call(
        method="GET",
        url=repository.path(f"blobs/{descriptor.digest}"),
        subject=repository.subject(f"blob {descriptor.digest}", "pull"),
        scopes=repository.scopes("pull"),
        expected=frozenset({200, 206}),
        # A proxy that compresses again would change the bytes.
        headers={"Accept-Encoding": "identity", **headers},
    )


def _new_hash(descriptor: Descriptor) -> "_Hash":
    algorithm = descriptor.digest.partition(":")[0]
    if algorithm not in _ALGORITHMS:
        raise Unavailable(f"digest {descriptor.digest}: bedside checks {', '.join(sorted(_ALGORITHMS))} only")
    return hashlib.new(algorithm)


def _read(handle: int) -> Iterator[bytes]:
    while chunk := os.read(handle, _CHUNK_BYTES):
        yield chunk
