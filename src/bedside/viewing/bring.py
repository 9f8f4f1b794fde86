"""Brings what is drawn out of the store: the series that a model read, and the masks to lay over it.

Owns which masks those are: the model's, or with a reviewer's in place of the one that was corrected. Where
a model wrote several segmentations, the others stay as they are.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bedside.dicom.compare import is_seg
from bedside.dicom.correct import identify_seg
from bedside.dicom.scan import Series, scan
from bedside.domain.arrival import Arrival
from bedside.domain.judgement import Correction
from bedside.domain.result import Result
from bedside.errors import ErrorCode, InputRejected, NotFound, told
from bedside.ports import BlobStore
from bedside.viewing.document import ResultDocument

_ABREAST = 8


def bring_series(
    store: BlobStore, arrival: Arrival, document: ResultDocument, work: Path, tell: Callable[[float], None]
) -> Series:
    """Bring the series that was read into a folder.

    Args:
        store: The tenant's objects.
        arrival: What was read.
        document: Names the series and its instances, or leaves it to what is largest.
        work: Exists.
        tell: Hears how much of it is there, 0 to 1.

    Raises:
        NotFound: The study is not in the store any more.
        InputRejected: It holds no images.
    """
    folder = work / "study"
    folder.mkdir()
    keys = _instances(arrival, document)
    done = 0

    def bring(numbered: tuple[int, str]) -> None:
        nonlocal done
        store.fetch(numbered[1], folder / f"{numbered[0]:06d}.dcm")
        done += 1
        tell(done / len(keys))

    try:
        with ThreadPoolExecutor(_ABREAST) as pool:
            list(pool.map(bring, enumerate(keys)))
    except NotFound as missing:
        raise NotFound(
            "images: the study is not in the store any more", told=told(ErrorCode.STUDY_GONE)
        ) from missing
    return _chosen(scan([folder]).series, document)


def bring_masks(
    store: BlobStore, result: Result, document: ResultDocument, correction: Correction | None, work: Path
) -> Sequence[Path]:
    """Bring the segmentations of a result into a folder.

    Args:
        store: The tenant's objects.
        result: Of the ledger.
        document: Lists its files.
        correction: Stands in place of what it corrects; None for the model's own.
        work: Exists.

    Raises:
        NotFound: The correction is not in the store any more.
    """
    folder = work / "segs"
    folder.mkdir()
    found = []
    for number, file in enumerate(f for f in document.files if f.path.endswith(".dcm")):
        path = folder / f"{number:03d}.dcm"
        store.fetch(f"{result.prefix}/{file.path}", path)
        if is_seg(path):
            found.append(path)
    if correction is None:
        return found
    instead = folder / "corrected.dcm"
    try:
        store.fetch(correction.key, instead)
    except NotFound as missing:
        raise NotFound(
            "images: this correction is not in the store any more", told=told(ErrorCode.CORRECTION_MISSING)
        ) from missing
    return [instead if _is(path, correction.predecessor_uid) else path for path in found]


def _is(path: Path, sop_instance_uid: str) -> bool:
    identity = identify_seg(path)
    return identity is not None and identity.sop_instance_uid == sop_instance_uid


def _instances(arrival: Arrival, document: ResultDocument) -> Sequence[str]:
    """Return the keys of the instances that were read, of all where the result does not say."""
    wanted = set(document.sop_instance_uids)
    keys = [file.key for file in arrival.files if file.sop_instance_uid in wanted]
    return keys or [file.key for file in arrival.files]


def _chosen(series: Sequence[Series], document: ResultDocument) -> Series:
    """Return the series that was read; the largest where the result does not say which."""
    if not series:
        raise InputRejected(
            "images: the study holds no series of CT, MR or PET images", told=told(ErrorCode.STUDY_NO_IMAGES)
        )
    named = [one for one in series if one.uid == document.series_uid]
    return named[0] if named else max(series, key=lambda one: len(one.instances))
