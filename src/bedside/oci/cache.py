"""Where layers lie between one build and the next: blobs by digest, and which recipe made which.

Owns a folder that may be deleted at any time. A blob whose size or time is not what it was when it was
written is read again, and forgotten where its digest is another, so that a damaged cache costs time and
never a wrong layer. Several processes may use one cache at once: who makes a layer holds its lock.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bedside.oci.descriptor import Descriptor, sha256_digest
from bedside.oci.parts import Part
from bedside.oci.storage import file_digest, locked, refusals, write_blob, write_file

#: What was used so recently is not swept: a build may be about to use it again.
IN_USE_S = 3600.0
#: Kept by default: several packaged models with their bases.
LIMIT_BYTES = 20 << 30
#: Between two looks at the whole cache, which take 20 ms where it holds thousands of layers.
SWEEP_PAUSE_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A layer that the cache holds.

    Attributes:
        part: Its compressed blob.
        diff_id: Digest of the tar within.
    """

    part: Part
    diff_id: str


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return where bedside keeps what it can make or fetch again.

    Args:
        environment: BEDSIDE_CACHE wins over XDG_CACHE_HOME/bedside, and that over ~/.cache/bedside.
    """
    if environment.get("BEDSIDE_CACHE"):
        return Path(environment["BEDSIDE_CACHE"]).expanduser().absolute()
    home = Path(environment["HOME"]) if environment.get("HOME") else Path.home()
    return Path(environment.get("XDG_CACHE_HOME") or home / ".cache").absolute() / "bedside"


class LayerCache:
    """Blobs and recipes of one folder.

    Args:
        root: The folder; made where it is missing.
        now: Seconds since 1970.
    """

    def __init__(self, root: Path, *, now: Callable[[], float] = time.time) -> None:
        self.root = root
        self._now = now
        self._blobs = root / "blobs" / "sha256"
        self._records = root / "layers"

    def blob(self, digest: str) -> Path:
        """Return where a blob lies, or would lie."""
        return self._blobs / digest.partition(":")[2]

    def store(self, pieces: Iterable[bytes], media_type: str) -> Part:
        """Keep a stream under its digest.

        Raises:
            Unavailable: The disk is full.
        """
        digest, size_bytes = write_blob(self._blobs, pieces)
        descriptor = Descriptor(media_type=media_type, digest=digest, size_bytes=size_bytes)
        return Part(descriptor=descriptor, path=self.blob(digest))

    def add(self, data: bytes, media_type: str) -> Part:
        """Keep some bytes under their digest."""
        descriptor = Descriptor.of(data, media_type)
        place = self.blob(descriptor.digest)
        if place.is_file() and file_digest(place) == descriptor.digest:
            return Part(descriptor=descriptor, path=place)
        return self.store([data], media_type)

    def known(self, key: str) -> Known | None:
        """Return the layer that a key made, or None where it must be made (again)."""
        record = self._records / _name(key)
        try:
            document = json.loads(record.read_bytes())
            descriptor = Descriptor.from_json(document["blob"])
            diff_id, written_ns = str(document["diffId"]), int(document["mtimeNs"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OSError):
            return self._forget(record)
        place = self.blob(descriptor.digest)
        try:
            found = place.stat()
        except OSError:
            return self._forget(record)
        if (found.st_size, found.st_mtime_ns) != (descriptor.size_bytes, written_ns):
            if found.st_size != descriptor.size_bytes or file_digest(place) != descriptor.digest:
                place.unlink(missing_ok=True)
                return self._forget(record)
            self._note(record, descriptor, diff_id)
        with refusals(self._records):
            os.utime(record)  # its last use, for the sweep
        return Known(part=Part(descriptor=descriptor, path=place), diff_id=diff_id)

    def remember(self, key: str, part: Part, diff_id: str) -> Known:
        """Note which layer a key makes."""
        self._note(self._records / _name(key), part.descriptor, diff_id)
        return Known(part=part, diff_id=diff_id)

    def forget(self, key: str) -> None:
        """Know no longer which layer a key makes: what it was made of was not what the key says."""
        self._forget(self._records / _name(key))

    @contextmanager
    def making(self, key: str) -> Iterator[None]:
        """Hold the lock of a key, so that one process makes a layer while others wait for it."""
        with locked(self.root / "locks" / _name(key)):
            yield

    def sweep(self, *, limit_bytes: int = LIMIT_BYTES, pause_s: float = 0.0) -> int:
        """Remove the layers that were not used for longest until the rest fits.

        Args:
            limit_bytes: What may stay. What was used in the last hour stays in any case.
            pause_s: Since the last time; before it is over nothing is looked at.

        Returns:
            Bytes that were freed.
        """
        lock = self.root / "locks" / "sweep"
        with suppress(OSError):
            if 0 <= self._now() - lock.stat().st_mtime < pause_s:
                return 0
        with refusals(self.root), locked(lock):
            freed = self._sweep(limit_bytes)
            os.utime(lock, (self._now(), self._now()))
            return freed

    def clear(self) -> int:
        """Remove everything, and return the bytes that were freed."""
        with refusals(self.root):
            freed = sum(place.stat().st_size for place in self._blobs.glob("*"))
            for folder in (self._records, self._blobs):
                shutil.rmtree(folder, ignore_errors=True)
        return freed

    def _sweep(self, limit_bytes: int) -> int:
        total = sum(found.st_size for _, found in self._stats())
        if total <= limit_bytes:
            return 0  # as a rule; reading what uses which takes 25 ms where 400 layers are known
        freed = 0
        uses: dict[str, float] = {}
        records: dict[str, list[Path]] = {}
        for record in self._records.glob("*"):
            try:
                blob = self.blob(json.loads(record.read_bytes())["blob"]["digest"]).name
            except (ValueError, KeyError, TypeError, OSError):
                continue
            uses[blob] = max(uses.get(blob, 0.0), record.stat().st_mtime)
            records.setdefault(blob, []).append(record)
        found = {Path(place): stat for place, stat in self._stats()}
        for place in sorted(found, key=lambda place: uses.get(place.name, found[place].st_mtime)):
            used_at = uses.get(place.name, found[place].st_mtime)
            if total - freed <= limit_bytes or used_at > self._now() - IN_USE_S:
                break
            for record in records.get(place.name, []):
                record.unlink(missing_ok=True)
            place.unlink(missing_ok=True)
            freed += found[place].st_size
        return freed

    def _stats(self) -> Iterator[tuple[str, os.stat_result]]:
        with suppress(FileNotFoundError), os.scandir(self._blobs) as blobs:
            for one in blobs:
                with suppress(FileNotFoundError):  # another process has just finished writing it
                    yield one.path, one.stat()

    def _note(self, record: Path, descriptor: Descriptor, diff_id: str) -> None:
        written_ns = self.blob(descriptor.digest).stat().st_mtime_ns
        document = {"blob": descriptor.to_json(), "diffId": diff_id, "mtimeNs": written_ns}
        write_file(record, json.dumps(document).encode())

    @staticmethod
    def _forget(record: Path) -> None:
        record.unlink(missing_ok=True)


def _name(key: str) -> str:
    return sha256_digest(key.encode()).partition(":")[2]
