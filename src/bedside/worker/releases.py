"""The releases of a deployment, kept by digest: what ran yesterday is still there unchanged.

Owns the folder ``releases/<hex digits>/`` of bundles; MAPs lie in a store of their own. A bundle is
copied before it is run, so that an edit of the original is another release and never changes one that
has results. A changed copy is refused where it is used: here at registering, and in the child before
it loads. A name is a name: it is looked up when a release is added, and the digest is what is kept.
"""

import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Protocol

from bedside.domain.pipeline import Release
from bedside.errors import ConfigError, NotFound, Unavailable, UsageError
from bedside.model.bundle import Bundle, open_bundle
from bedside.model.layout import unpack_bundle
from bedside.ports import Clock, Ledger
from bedside.worker.naming import find_release


class Maps(Protocol):
    """Where MAPs are kept."""

    def holds(self, source: str) -> bool:
        """Say whether a text names a MAP: an OCI layout, an archive of one, a registry's reference."""
        ...

    def add(self, source: str, now: datetime) -> Release:
        """Bring a MAP into the store, and say what it is.

        Raises:
            ConfigError: It is no MAP, or its bytes are not what their digests say.
            Unavailable: The registry is out of reach, or the store is full.
        """
        ...


class Releases:
    """Registers releases and finds them.

    Args:
        folder: Where the copies of bundles lie.
        ledger: Where releases are recorded.
        clock: The time.
        maps: Where MAPs lie; without it, none can be registered.
    """

    def __init__(self, folder: Path, *, ledger: Ledger, clock: Clock, maps: Maps | None = None) -> None:
        self._folder = folder
        self._ledger = ledger
        self._clock = clock
        self._maps = maps
        self._known: dict[str, Release] = {}

    def add(self, source: str) -> Release:
        """Register what a person names: a MAP or a bundle.

        Args:
            source: A bundle's folder or archive, an OCI layout folder, an archive of one, or a
                registry's reference.

        Raises:
            ConfigError: It is neither, or the copy made earlier was changed since.
            UsageError: There is no such path, and it is no reference.
            Unavailable: It cannot be brought here.
        """
        if self._maps is not None and self._maps.holds(source):
            return self.register_map(source)
        if not Path(source).exists():
            raise UsageError(f"{source}: no such file or folder", hint="bedside release add --help")
        return self.register(Path(source))

    def register_map(self, source: str) -> Release:
        """Bring a MAP into the deployment, and record its release under the name it was had by.

        Raises:
            ConfigError: It is no MAP.
            Unavailable: It cannot be brought here.
        """
        if self._maps is None:
            raise ConfigError("this deployment has no place for MAPs")
        release = self._maps.add(source, self._clock.now())
        return self._record(release)

    def resolve(self, text: str) -> Release:
        """Return the release that a person means. See `bedside.worker.naming.find_release`."""
        return find_release(text, self._ledger.releases(), self._ledger.release_names())

    def register(self, bundle: Path) -> Release:
        """Copy a bundle into the deployment unless it is there, and record its release.

        Args:
            bundle: A folder or an archive.

        Raises:
            ConfigError: It is no bundle, or the copy made earlier was changed since.
            Unavailable: The copy cannot be written.
        """
        opened = open_bundle(bundle)
        target = self._place(opened.digest)
        if target.is_dir():
            self.verify(opened.digest)
        else:
            self._copy(opened, target)
        return self._record(
            Release(
                digest=opened.digest,
                name=opened.name,
                version=opened.version,
                added_at=self._clock.now(),
                size_bytes=sum(path.stat().st_size for path in target.rglob("*") if path.is_file()),
            )
        )

    def find(self, digest: str) -> Release:
        """Return what is recorded of a release, or raise `NotFound`."""
        if digest not in self._known:
            self._known = {release.digest: release for release in self._ledger.releases()}
        try:
            return self._known[digest]
        except KeyError:
            raise NotFound(f"release {digest}: not registered here") from None

    def path(self, digest: str) -> Path:
        """Return a release's folder; whoever loads it checks its digest.

        Raises:
            ConfigError: It is not there.
        """
        place = self._place(digest)
        if not place.is_dir():
            raise ConfigError(
                f"release {digest}: its files are not in this deployment",
                hint="name its bundle in bedside.toml and start bedside serve, which registers it",
            )
        return place

    def verify(self, digest: str) -> None:
        """Compare a release's files with its digest.

        Raises:
            ConfigError: They are not there, or were changed.
        """
        found = open_bundle(self.path(digest)).digest
        if found != digest:
            raise ConfigError(
                f"release {digest}: its files were changed, their digest is now {found}",
                hint="remove that folder under releases/; bedside serve registers the bundle again",
            )

    def _record(self, release: Release) -> Release:
        self._ledger.add_release(release)
        names = self._ledger.release_names()
        for name in (f"{release.name}:{release.version}", release.source):
            if name and names.get(name) != release.digest:
                self._ledger.name_release(name, release.digest, self._clock.now())
        return self.find(release.digest)

    def _place(self, digest: str) -> Path:
        return self._folder / digest.removeprefix("sha256:")

    def _copy(self, bundle: Bundle, target: Path) -> None:
        """Copy beside the target, check, and rename: a reader sees the whole release or none."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".new-", dir=self._folder) as temporary:
                copied = unpack_bundle(bundle.path, Path(temporary) / "bundle")
                found = open_bundle(copied).digest
                if found != bundle.digest:
                    raise ConfigError(
                        f"release {bundle.digest}: the bundle changed while it was copied ({found})",
                        hint="register it again when nothing writes to it",
                    )
                _flush(copied)
                try:
                    copied.rename(target)
                except OSError:
                    if not target.is_dir():  # else another process registered the same bundle just now
                        raise
            _flush_folder(self._folder)
        except OSError as exc:
            raise Unavailable(f"release {bundle.digest}: cannot be stored: {exc.strerror}") from exc


def _flush(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            path.chmod(0o444)  # an edit by mistake would make the release unusable
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        else:
            _flush_folder(path)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
