"""From a complete thing in the drop-box to files in a work folder: unpacked, hashed, identified.

Owns what an entry may hold. Works on a copy of its own from the first byte on, since the sender may
still change what lies in the drop-box; names there are left behind here, all but a file set's
extensions.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from bedside.config import FileSetSettings
from bedside.dicom.identify import identify
from bedside.domain.arrival import ArrivalKind, StoredFile
from bedside.domain.identity import short_id
from bedside.errors import InputRejected
from bedside.ports import BlobStore, Dropped
from bedside.worker.abreast import abreast
from bedside.worker.unpack import Limits, UnpackedFile, hash_file, is_zip, unpack

#: Parts fetched before they are measured: a sender who floods us gets so far beyond the limit.
_AHEAD = 16
_EXTENSION = re.compile(r"\.[a-z0-9]{1,8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What of one study (or which file set) an entry brought.

    Attributes:
        kind: Of the arrival it becomes part of.
        subject: What versions are counted over.
        files: Files and where their bytes lie.
    """

    kind: ArrivalKind
    subject: str
    files: Mapping[StoredFile, Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a whole entry brought.

    Attributes:
        received: One per study, in order of Study Instance UID.
        left: What was left aside and why, for people; no names.
    """

    received: tuple[Received, ...]
    left: str


def receive_study(dropped: Dropped, blobs: BlobStore, folder: Path, limits: Limits) -> Contents:
    """Bring an entry of DICOM files and ZIPs to ``folder``, and sort its instances by study.

    Two different contents under one SOP Instance UID are both kept: reading the study decides.

    Raises:
        InputRejected: Too large, a ZIP that is not taken, or no instance in it.
        NotFound: It was moved away meanwhile.
        Unavailable: The store or the work folder fails.
    """
    files = _bring(dropped, blobs, folder, limits)
    studies: dict[str, dict[StoredFile, Path]] = defaultdict(dict)
    others = 0
    for file in files:
        found = identify(file.path)
        if found is None:
            others += 1
            continue
        stored = StoredFile(
            sop_instance_uid=found.sop_instance_uid, sha256=file.sha256, size_bytes=file.size_bytes
        )
        studies[found.study_uid].setdefault(stored, file.path)
    if not studies:
        raise InputRejected(f"entry: no DICOM instance among its {len(files)} files")
    return Contents(
        received=tuple(
            Received(kind=ArrivalKind.DICOM, subject=uid, files=instances)
            for uid, instances in sorted(studies.items())
        ),
        left=f"{others} of {len(files)} files left aside: not a DICOM instance of a study" if others else "",
    )


def receive_file_set(
    dropped: Dropped, file_set: FileSetSettings, stem: str, tenant: str, blobs: BlobStore, folder: Path
) -> Contents:
    """Bring the files of a set as they are.

    Its subject is a hash: the recording's name is often a patient's.
    """
    files: dict[StoredFile, Path] = {}
    for number, key in enumerate(dropped.parts, 1):
        path = folder / f"{number:06d}"
        blobs.fetch(key, path)
        hashed = hash_file(path)
        stored = StoredFile(
            sop_instance_uid="", sha256=hashed.sha256, size_bytes=hashed.size_bytes, suffix=extension(key)
        )
        files[stored] = path
    subject = short_id([tenant, file_set.name, stem])
    return Contents(received=(Received(kind=ArrivalKind.FILES, subject=subject, files=files),), left="")


def extension(key: str) -> str:
    """Return a key's extension, lower-case, or ``""`` where it is too odd to be one."""
    suffix = PurePosixPath(key).suffix.lower()
    return suffix if _EXTENSION.fullmatch(suffix) else ""


def _bring(dropped: Dropped, blobs: BlobStore, folder: Path, limits: Limits) -> Sequence[UnpackedFile]:
    """Copy or unpack every part; files are counted and measured over all of them."""
    if len(dropped.parts) > limits.max_files:
        raise InputRejected(
            f"entry: {len(dropped.parts)} files, at most {limits.max_files}",
            hint="raise intake.max_files if such studies are expected",
        )
    files: list[UnpackedFile] = []
    size_bytes = 0
    for number, path in _fetched(dropped, blobs, folder):
        left = replace(
            limits, max_files=limits.max_files - len(files), max_bytes=limits.max_bytes - size_bytes
        )
        where = f"file {number} of {len(dropped.parts)}: " if len(dropped.parts) > 1 else ""
        brought = _bring_part(dropped.parts[number - 1], path, left, where)
        files += brought
        size_bytes += sum(file.size_bytes for file in brought)
        if size_bytes > limits.max_bytes:
            raise InputRejected(f"entry: more than {limits.max_bytes} bytes, at file {number}")
    return files


def _fetched(dropped: Dropped, blobs: BlobStore, folder: Path) -> Iterator[tuple[int, Path]]:
    """Fetch the parts, some ahead at once, and give each with its number, in order."""
    numbered = [(number, folder / f"{number:06d}") for number in range(1, len(dropped.parts) + 1)]
    for first in range(0, len(numbered), _AHEAD):
        ahead = numbered[first : first + _AHEAD]
        abreast(lambda part: blobs.fetch(dropped.parts[part[0] - 1], part[1]), ahead)
        yield from ahead


def _bring_part(key: str, path: Path, limits: Limits, where: str) -> Sequence[UnpackedFile]:
    if not is_zip(path):
        if not where and key.lower().endswith(".zip"):
            raise InputRejected("ZIP: this is none")
        return [hash_file(path)]
    target = path.with_name(f"{path.name}-unpacked")
    target.mkdir()
    try:
        return unpack(path, target, limits)
    except InputRejected as exc:
        raise InputRejected(f"{where}{exc.message}", hint=exc.hint) from exc
    finally:
        path.unlink()
