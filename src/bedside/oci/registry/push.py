"""A container image on its way to a registry: blobs side by side, then manifests, the name last.

Owns the order. Until the last request nothing has the name, so a push that fails at any point leaves
what was there before; what it has sent is found there by the next one.
"""

import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from bedside.errors import BedsideError
from bedside.oci.descriptor import Descriptor
from bedside.oci.parts import Assembled, Part
from bedside.oci.reference import Reference
from bedside.oci.registry.download import download
from bedside.oci.registry.parallel import for_each_part
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
    repository = registries.at(reference)
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
        for_each_part(assembled, registries, bringing.bring, stop)
    _put_manifests(assembled, repository, reference.tag, tell)
    return assembled.descriptor


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


def _put_manifests(assembled: Assembled, repository: Repository, tag: str, tell: Tell) -> None:
    for member in assembled.members:
        _put_manifests(member, repository, "", tell)
    descriptor = assembled.descriptor
    listed = repository.put_manifest(descriptor, assembled.manifest, tag)
    if not listed and subject_of(assembled) is not None:
        enter(repository, assembled)
    tell(Progress(descriptor=descriptor, step=Step.DONE, done_bytes=descriptor.size_bytes))
