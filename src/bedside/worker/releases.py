"""The bundles a deployment runs, kept by digest: what ran yesterday is still there unchanged.

Owns the folder ``releases/<hex digits>/``. A bundle is copied before it is run, so that an edit of
the original is another release and never changes one that has results. A changed copy is refused
where it is used: here at registering, and in the child before it loads.
"""

import os
import tempfile
from pathlib import Path

from bedside.domain.pipeline import Release
from bedside.errors import ConfigError, NotFound, Unavailable
from bedside.model.bundle import Bundle, open_bundle
from bedside.model.layout import unpack_bundle
from bedside.ports import Clock, Ledger


class Releases:
    """Registers bundles and finds them by digest.

    Args:
        folder: Where the copies lie.
        ledger: Where releases are recorded.
        clock: The time.
    """

    def __init__(self, folder: Path, *, ledger: Ledger, clock: Clock) -> None:
        self._folder = folder
        self._ledger = ledger
        self._clock = clock
        self._known: dict[str, Release] = {}

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
        self._ledger.add_release(
            Release(
                digest=opened.digest, name=opened.name, version=opened.version, added_at=self._clock.now()
            )
        )
        return self.find(opened.digest)

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
