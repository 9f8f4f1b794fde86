"""A container image on its way to a registry: blobs side by side, then manifests, the name last.

Owns the order. Until the last request nothing has the name, so a push that fails at any point leaves
what was there before; what it has sent is found there by the next one.
"""

import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bedside.errors import BedsideError
from bedside.oci.descriptor import Descriptor
from bedside.oci.parts import Assembled, Part
from bedside.oci.reference import Reference
from bedside.oci.registry.download import download
from bedside.oci.registry.parallel import Parallel, all_parts
from bedside.oci.registry.progress import Progress, Step, Tell, one_at_a_time, quiet
from bedside.oci.registry.referrers import enter, subject_of
from bedside.oci.registry.registries import Registries
from bedside.oci.registry.repository import Repository
from bedside.oci.registry.upload import Uploader


def push(
    assembled: Assembled, reference: Reference, registries: Registries, tell: Tell = quiet
) -> Descriptor:
    """Bring a container image, index or artifact into a registry.

    Parts without a file are taken over within the registry, or fetched from their origin on the way.

    Args:
        assembled: What to push.
        reference: Where to; its digest, if any, must be that of ``assembled``.
        registries: Has the credentials.
        tell: Is told what happens.

    Returns:
        The descriptor, whose digest the registry has confirmed.

    Raises:
        ConfigError: credentials are missing or refused.
        NotFound: the repository does not exist, and the registry makes none.
        Unavailable: the registry is not there, full, or cut the connection too often.
        BedsideError: the reference names another digest, a file is damaged, or a manifest is refused.
    """
    if reference.digest and reference.digest != assembled.descriptor.digest:
        raise BedsideError(
            f"{reference}: what is to be pushed has the digest {assembled.descriptor.digest}",
            hint=f"push to {reference.host}/{reference.repository} with a tag",
        )
    with pushing(reference, registries, tell) as under_way:
        under_way.start(*all_parts(assembled))
        under_way.finish()
        under_way.put([assembled], reference.tag)
    return assembled.descriptor


@contextmanager
def pushing(place: Reference, registries: Registries, tell: Tell = quiet) -> Iterator["Pushing"]:
    """Begin a push of which not all is known yet; what is under way when the block ends is stopped.

    Args:
        place: The repository; its tag or digest says nothing here.
        registries: Has the credentials.
        tell: Is told what happens.
    """
    repository = registries.at(place)
    tell = one_at_a_time(tell)
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="bedside-push-") as scratch:
        bringing = _Bringing(
            repository=repository,
            registries=registries,
            uploader=Uploader(repository, tell, stop),
            scratch=Path(scratch),
            tell=tell,
        )
        try:
            with Parallel(registries, bringing.bring, stop) as parallel:
                yield Pushing(bringing, parallel)
        except Exception:
            bringing.uploader.close()
            raise
        bringing.uploader.close()


class Pushing:
    """A push under way: blobs from the moment they are known, manifests when all blobs are there."""

    def __init__(self, bringing: "_Bringing", parallel: Parallel) -> None:
        self._bringing = bringing
        self._repository = bringing.repository
        self._parallel = parallel

    def connect(self) -> None:
        """Connect and open an upload, before there is anything to bring; a refusal is said as of blobs."""
        self._parallel.also("upload", self._bringing.uploader.prepare)

    def start(self, *parts: Part) -> None:
        """Begin to bring blobs. Without a manifest they are nothing there yet: nobody finds them."""
        self._parallel.start(*parts)

    def finish(self) -> None:
        """Wait until the blobs are there; raises as `push` does."""
        self._parallel.finish()

    def put(self, assembled: Sequence[Assembled], tag: str = "") -> None:
        """Write manifests whose blobs are there, members first, and enter those that have a subject.

        Args:
            assembled: All of one kind; more than one are artifacts.
            tag: A name besides the digest; for one manifest alone.
        """
        unlisted: set[str] = set()
        for one in assembled:
            self.put(one.members)
            self._parallel.also(f"manifest {one.descriptor.digest}", partial(self._put, one, tag, unlisted))
        self._parallel.finish()
        enter(self._repository, [one for one in assembled if one.descriptor.digest in unlisted])

    def _put(self, one: Assembled, tag: str, unlisted: set[str]) -> None:
        listed = self._repository.put_manifest(one.descriptor, one.manifest, tag)
        if not listed and subject_of(one) is not None:
            unlisted.add(one.descriptor.digest)
        size_bytes = one.descriptor.size_bytes
        self._bringing.tell(Progress(descriptor=one.descriptor, step=Step.DONE, done_bytes=size_bytes))

    def name(self, assembled: Assembled, tag: str) -> None:
        """Give a name to what is there."""
        self._repository.put_manifest(assembled.descriptor, assembled.manifest, tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bringing:
    """What it takes to bring blobs into a repository."""

    repository: Repository
    registries: Registries
    uploader: Uploader
    scratch: Path
    tell: Tell

    def bring(self, part: Part) -> None:
        """See to it that the repository has a blob."""
        descriptor, origin = part.descriptor, part.origin
        if self.repository.has(descriptor):
            self.tell(Progress(descriptor=descriptor, step=Step.PRESENT, done_bytes=descriptor.size_bytes))
            return
        session = ""
        if origin and origin.host == self.repository.host and origin != self.repository.origin:
            opened = self.uploader.mount(descriptor, origin)
            if opened is None:
                return
            session = opened
        if part.path is not None:
            self.uploader.send(descriptor, part.path, session)
            return
        if origin is None:
            raise BedsideError(f"blob {descriptor.digest}: has neither a file nor a place to fetch it from")
        staged = self.scratch / descriptor.hex
        download(self.registries.at(origin), descriptor, staged)
        self.uploader.send(descriptor, staged, session)
        staged.unlink()
