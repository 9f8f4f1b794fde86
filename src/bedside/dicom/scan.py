"""What a set of files holds: series of images that make volumes, and everything else with its reason.

Owns the grouping and every decision to leave a file aside. It refuses nothing itself: a series with a
fault keeps its ``problem``, so that selection can name it and reading it raises, while the other
series of the study stay readable.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pydicom.dataset import Dataset

from bedside.dicom.attributes import dataset_attributes
from bedside.dicom.duplicates import without_duplicates
from bedside.dicom.frames import VOLUMETRIC, frames_of
from bedside.dicom.geometry import Stack, stack
from bedside.dicom.header import InstanceHeader, read_header
from bedside.dicom.order import in_order
from bedside.dicom.source import read_dataset
from bedside.dicom.vendor import uid_name
from bedside.domain.expression import Value
from bedside.errors import InputRejected

__all__ = ["InstanceHeader", "LeftAside", "Series", "StudyScan", "scan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftAside:
    """A file that is part of no series that can make a volume.

    Attributes:
        sop_instance_uid: SOP Instance UID (0008,0018), or ``""`` where it is not known.
        reason: Why.
    """

    sop_instance_uid: str
    reason: str


# Not slotted: the header of its first instance and its stack are read once, when asked for.
@dataclass(frozen=True, kw_only=True)
class Series:
    """One series of CT, MR or PET images.

    Attributes:
        uid: Series Instance UID (0020,000E).
        study_uid: Study Instance UID (0020,000D).
        modality: Modality (0008,0060).
        body_part: Body Part Examined (0018,0015), or ``""``.
        frame_of_reference_uid: Frame of Reference UID (0020,0052).
        instances: In ascending order along the normal, without duplicates.
        problem: Why it cannot be read whatever its geometry, or ``""``.
    """

    uid: str
    study_uid: str
    modality: str
    body_part: str
    frame_of_reference_uid: str
    instances: tuple[InstanceHeader, ...] = field(repr=False)
    problem: str = ""

    @property
    def lossy(self) -> bool:
        """Whether any instance went through lossy compression."""
        return any(header.lossy for header in self.instances)

    @property
    def localizer(self) -> bool:
        """Whether its images are localizers, by Image Type value 3. See PS3.3 C.7.6.1.1.2."""
        return all(is_localizer(header) for header in self.instances)

    @cached_property
    def attributes(self) -> Mapping[str, Value]:
        """Attributes of its first instance by keyword, for expressions.

        Raises:
            InputRejected: The header cannot be read.
        """
        return dataset_attributes(self.reference(), instances=len(self.instances))

    @cached_property
    def stack(self) -> Stack:
        """Its frames as a regular grid.

        Raises:
            InputRejected: A fault of the pixels or the geometry; see `bedside.dicom.geometry`.
        """
        if self.problem:
            raise InputRejected(f"series {self.uid}: {self.problem}")
        try:
            return stack(frames_of(self.instances))
        except InputRejected as exc:
            raise type(exc)(f"series {self.uid}: {exc.message}", hint=exc.hint) from exc

    def reference(self) -> Dataset:
        """Return the full header of its first instance, without pixels; the same object each time.

        Raises:
            InputRejected: pydicom cannot read it.
        """
        return self._reference

    @cached_property
    def _reference(self) -> Dataset:
        first = self.instances[0]
        return read_dataset(first.path, deflated=first.deflated, end=first.pixel_offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyScan:
    """What a set of files holds.

    Attributes:
        series: Series that could make a volume, by UID.
        left: Everything else.
    """

    series: tuple[Series, ...]
    left: tuple[LeftAside, ...]


def is_localizer(header: InstanceHeader) -> bool:
    """Return whether an image only shows where others were planned."""
    return len(header.image_type) > 2 and header.image_type[2] == "LOCALIZER"


def scan(paths: Iterable[Path]) -> StudyScan:
    """Look through files in any order: each is taken into a series or left aside with its reason.

    Args:
        paths: Files; a folder stands for all files below it.

    Raises:
        Unavailable: A file cannot be opened.
    """
    groups: dict[str, list[InstanceHeader]] = defaultdict(list)
    left: list[LeftAside] = []
    for path in sorted(_files(paths)):
        try:
            header = read_header(path)
        except InputRejected as exc:
            left.append(LeftAside(sop_instance_uid="", reason=exc.message))
            continue
        if header is None:
            left.append(LeftAside(sop_instance_uid="", reason="not a DICOM file"))
        elif header.sop_class_uid not in VOLUMETRIC:
            left.append(_leave(header, f"{uid_name(header.sop_class_uid)} is no CT, MR or PET image"))
        else:
            groups[header.series_uid].append(header)
    series = [_series(headers, left) for _, headers in sorted(groups.items())]
    return StudyScan(series=tuple(series), left=tuple(left))


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from (inner for inner in path.rglob("*") if inner.is_file())
        else:
            yield path


def _leave(header: InstanceHeader, reason: str) -> LeftAside:
    return LeftAside(sop_instance_uid=header.sop_instance_uid, reason=reason)


def _series(headers: list[InstanceHeader], left: list[LeftAside]) -> Series:
    kept, repeated, problem = without_duplicates(headers)
    left.extend(_leave(header, "the same instance came twice; one is kept") for header in repeated)
    localizers = [header for header in kept if is_localizer(header)]
    if len(localizers) < len(kept):
        left.extend(_leave(header, "a localizer among other images of its series") for header in localizers)
        kept = [header for header in kept if not is_localizer(header)]
    kept = in_order(kept)
    first = kept[0]
    faulty = [header for header in kept if header.problem]
    if faulty and not problem:
        several = f" (and {len(faulty) - 1} more)" if len(faulty) > 1 else ""
        problem = f"instance {faulty[0].sop_instance_uid}{several}: {faulty[0].problem}"
    for name in ("study_uid", "modality"):
        values = {getattr(header, name) for header in kept}
        if len(values) > 1 and not problem:
            problem = f"instances of {len(values)} {'studies' if name == 'study_uid' else 'modalities'}"
    return Series(
        uid=first.series_uid,
        study_uid=first.study_uid,
        modality=first.modality,
        body_part=first.body_part,
        frame_of_reference_uid=first.frame_of_reference_uid,
        instances=tuple(kept),
        problem=problem,
    )
