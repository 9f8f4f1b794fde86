"""Many files of this machine as one ZIP, the same for the same files, so that a broken upload goes on."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

#: The time of a file is in the fingerprint, and says nothing in the archive.
_DATE = (1980, 1, 1, 0, 0, 0)
_CHUNK = 2**20


def pack(files: Mapping[str, Path], archive: Path) -> None:
    """Write files into a new ZIP, stored, in the order of their names.

    Args:
        files: By their names in the archive.
        archive: Must not exist.
    """
    with zipfile.ZipFile(archive, "x") as opened:
        for name, path in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _DATE)
            with path.open("rb") as source, opened.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, _CHUNK)


def fingerprint_of(files: Mapping[str, Path]) -> str:
    """Return what is the same for the same files: a hash of names, lengths and times."""
    told = [[name, path.stat().st_size, path.stat().st_mtime_ns] for name, path in sorted(files.items())]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
