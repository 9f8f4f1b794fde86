"""A container image on its way from a registry into an OCI layout: blobs, then manifests, then the name.

Owns the order. A blob has its place in the layout only when it is whole and its digest is right; one
that was cut stays beside it, so that the next pull, by whatever process, goes on from there.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bedside.errors import Cancelled
from bedside.oci.descriptor import Descriptor, Platform
from bedside.oci.layout import OciLayout
from bedside.oci.parts import Assembled, Part
from bedside.oci.reference import Reference
from bedside.oci.registry.download import download
from bedside.oci.registry.parallel import for_each_part
from bedside.oci.registry.progress import Progress, Step, Tell, one_at_a_time, quiet
from bedside.oci.registry.registries import Registries
from bedside.oci.registry.remote import remote
from bedside.oci.storage import READ_ONLY, TEMPORARY, refusals


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulling:
    """What to bring, and under which name.

    Attributes:
        platform: Which member of an index; None for the whole index.
        tag: Its name in the layout; none where empty.
    """

    platform: Platform | None = None
    tag: str = ""


def pull(
    reference: Reference,
    layout: OciLayout,
    registries: Registries,
    pulling: Pulling | None = None,
    tell: Tell = quiet,
) -> Descriptor:
    """Bring a container image, index or artifact from a registry.

    Args:
        reference: What to bring.
        layout: Where to; blobs that it has are not fetched.
        registries: Has the credentials.
        pulling: For which platform, and its name in the layout.
        tell: Is told what happens.

    Returns:
        The descriptor of what was brought: of an index's member where a platform was asked for.

    Raises:
        NotFound: no such repository, tag or digest, or nothing for the platform.
        ConfigError: credentials are missing or refused, or the layout must not be written.
        Unavailable: the registry is not there, gave wrong bytes, or cut the connection too often; or
            the disk is full.
    """
    pulling = pulling or Pulling()
    tell = one_at_a_time(tell)
    found = remote(registries.at(reference), reference.pointer, pulling.platform)
    stop = threading.Event()
    for_each_part(found, registries, lambda part: _fetch(part, layout, registries, tell, stop), stop)
    return layout.add(_local(found, layout), tag=pulling.tag)


def _fetch(part: Part, layout: OciLayout, registries: Registries, tell: Tell, stop: threading.Event) -> None:
    descriptor, place = part.descriptor, layout.blob(part.descriptor.digest)
    assert part.origin is not None
    if _whole(place, descriptor):
        tell(Progress(descriptor=descriptor, step=Step.PRESENT, done_bytes=descriptor.size_bytes))
        return

    def told(progress: Progress) -> None:
        if stop.is_set():
            raise Cancelled(f"pull blob {descriptor.digest}: stopped")
        tell(progress)

    with refusals(place), _alone(place, descriptor) as staged:
        if staged is not None:
            download(registries.at(part.origin), descriptor, staged, told)
            staged.chmod(READ_ONLY)
            staged.replace(place)


@contextmanager
def _alone(place: Path, descriptor: Descriptor) -> Iterator[Path | None]:
    """Give the file for a blob's bytes, to one process at a time; None where another has brought it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    staged = place.parent / f"{TEMPORARY}pull-{descriptor.hex}"
    while True:
        with staged.open("ab") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            if _whole(place, descriptor):
                staged.unlink(missing_ok=True)
                yield None
                return
            if staged.exists() and staged.stat().st_ino == os.fstat(stream.fileno()).st_ino:
                yield staged
                return
        # Another process has put it in its place, or thrown it away, while we waited.


def _whole(place: Path, descriptor: Descriptor) -> bool:
    return place.is_file() and place.stat().st_size == descriptor.size_bytes


def _local(assembled: Assembled, layout: OciLayout) -> Assembled:
    """Return the same with its parts in the layout."""
    return replace(
        assembled,
        parts=tuple(replace(part, path=layout.blob(part.descriptor.digest)) for part in assembled.parts),
        members=tuple(_local(member, layout) for member in assembled.members),
    )
