"""The frames of a series: each one's place, grid and rescale, wherever the header states them.

Owns the difference between single-frame objects (one frame, attributes at the top) and enhanced
multi-frame ones (shared and per-frame functional groups, PS3.3 C.7.6.16). It refuses an object that
holds more than one stack or time point, because choosing among them would be guessing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset

from bedside.dicom.header import InstanceHeader, Vector
from bedside.dicom.source import read_dataset
from bedside.dicom.vendor import VENDOR_ERRORS, quiet, uid_name
from bedside.errors import InputRejected

#: SOP classes that make a volume: one frame per instance.
SINGLE_FRAME = frozenset(
    (
        "1.2.840.10008.5.1.4.1.1.2",  # CT
        "1.2.840.10008.5.1.4.1.1.4",  # MR
        "1.2.840.10008.5.1.4.1.1.128",  # PET
    )
)
#: SOP classes with functional groups, the legacy converted ones included.
ENHANCED = frozenset(
    (
        "1.2.840.10008.5.1.4.1.1.2.1",  # Enhanced CT
        "1.2.840.10008.5.1.4.1.1.2.2",  # Legacy Converted Enhanced CT
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR
        "1.2.840.10008.5.1.4.1.1.130",  # Enhanced PET
        "1.2.840.10008.5.1.4.1.1.128.1",  # Legacy Converted Enhanced PET
    )
)
VOLUMETRIC = SINGLE_FRAME | ENHANCED


class SeveralStacks(InputRejected):
    """One object holds several stacks, time points or frame types."""


class NoGeometry(InputRejected):
    """Position, orientation or spacing is missing or impossible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One plane of voxels.

    Attributes:
        header: The instance it is in.
        index: Its place in the instance, from 0.
        position: Image Position (Patient), mm, LPS.
        orientation: Image Orientation (Patient): cosines along a row, then along a column.
        spacing: Pixel Spacing, mm: (between rows, between columns).
        slice_mm: Stated distance of slices or their thickness, for a lone frame, or None.
        slope: Rescale Slope.
        intercept: Rescale Intercept.
    """

    header: InstanceHeader
    index: int
    position: Vector
    orientation: tuple[float, ...]
    spacing: tuple[float, float]
    slice_mm: float | None
    slope: float
    intercept: float


def frames_of(headers: Iterable[InstanceHeader]) -> tuple[Frame, ...]:
    """List the frames of a series' instances, in no particular order.

    Raises:
        NoGeometry: A frame does not state where it lies.
        SeveralStacks: An object holds more than one stack, time point or frame type.
    """
    frames: list[Frame] = []
    for header in headers:
        if header.sop_class_uid in ENHANCED:
            frames.extend(_functional_groups(header))
        else:
            frames.append(_single(header))
    return tuple(frames)


def _single(header: InstanceHeader) -> Frame:
    if header.frames != 1:
        raise InputRejected(
            f"instance {header.sop_instance_uid}: {header.frames} frames in a single-frame "
            f"{uid_name(header.sop_class_uid)}"
        )
    return _frame(
        header,
        0,
        position=header.position,
        orientation=header.orientation,
        spacing=header.spacing,
        slice_mm=header.slice_mm,
        rescale=(header.slope, header.intercept),
    )


def _frame(
    header: InstanceHeader,
    index: int,
    *,
    position: Vector | None,
    orientation: tuple[float, ...] | None,
    spacing: tuple[float, float] | None,
    slice_mm: float | None,
    rescale: tuple[float, float],
) -> Frame:
    for name, value in (
        ("Image Position (Patient)", position),
        ("Image Orientation (Patient)", orientation),
        ("Pixel Spacing", spacing),
    ):
        if value is None:
            place = f" frame {index + 1}" if header.frames > 1 else ""
            raise NoGeometry(f"instance {header.sop_instance_uid}{place}: {name} is missing or malformed")
    assert position is not None and orientation is not None and spacing is not None
    return Frame(
        header=header,
        index=index,
        position=position,
        orientation=orientation,
        spacing=spacing,
        slice_mm=slice_mm,
        slope=rescale[0],
        intercept=rescale[1],
    )


def _functional_groups(header: InstanceHeader) -> Iterator[Frame]:
    dataset = read_dataset(header.path, deflated=header.deflated, end=header.pixel_offset)
    try:
        with quiet():
            groups = _Groups(dataset)
            if len(groups.per_frame) != header.frames:
                raise InputRejected(
                    f"instance {header.sop_instance_uid}: {header.frames} frames, "
                    f"{len(groups.per_frame)} functional groups"
                )
            _one_stack(header, groups)
            yield from [_from_groups(header, groups, index) for index in range(header.frames)]
    except VENDOR_ERRORS as exc:
        raise NoGeometry(
            f"instance {header.sop_instance_uid}: functional groups are malformed ({type(exc).__name__})"
        ) from exc


class _Groups:
    """Functional groups, each frame's own before the shared one. See PS3.3 C.7.6.16.1.1."""

    def __init__(self, dataset: Dataset) -> None:
        shared = dataset.get("SharedFunctionalGroupsSequence")
        self._shared: Dataset = shared[0] if shared else Dataset()
        self.per_frame: list[Dataset] = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())

    def macro(self, frame: int, keyword: str) -> Dataset:
        for group in (self.per_frame[frame], self._shared):
            sequence = group.get(keyword)
            if sequence:
                item: Dataset = sequence[0]
                return item
        return Dataset()


def _one_stack(header: InstanceHeader, groups: _Groups) -> None:
    content = [groups.macro(i, "FrameContentSequence") for i in range(header.frames)]
    kinds = [
        groups.macro(i, "MRImageFrameTypeSequence").get("FrameType")
        or groups.macro(i, "CTImageFrameTypeSequence").get("FrameType")
        or ()
        for i in range(header.frames)
    ]
    for what, found in (
        ("stacks", {str(item.get("StackID", "")) for item in content}),
        ("temporal positions", {str(item.get("TemporalPositionIndex", "")) for item in content}),
        ("frame types", {"\\".join(kind) for kind in kinds}),
    ):
        if len(found) > 1:
            raise SeveralStacks(
                f"instance {header.sop_instance_uid}: {header.frames} frames in {len(found)} {what}, "
                "one volume has one"
            )


def _from_groups(header: InstanceHeader, groups: _Groups, index: int) -> Frame:
    measures = groups.macro(index, "PixelMeasuresSequence")
    values = groups.macro(index, "PixelValueTransformationSequence")
    position = _numbers(groups.macro(index, "PlanePositionSequence").get("ImagePositionPatient"), 3)
    spacing = _numbers(measures.get("PixelSpacing"), 2)
    between = measures.get("SpacingBetweenSlices") or measures.get("SliceThickness")
    slope = float(values.get("RescaleSlope", header.slope))
    if slope == 0:
        raise InputRejected(f"instance {header.sop_instance_uid} frame {index + 1}: Rescale Slope is 0")
    return _frame(
        header,
        index,
        position=(position[0], position[1], position[2]) if position else None,
        orientation=_numbers(
            groups.macro(index, "PlaneOrientationSequence").get("ImageOrientationPatient"), 6
        ),
        spacing=(spacing[0], spacing[1]) if spacing else None,
        slice_mm=abs(float(between)) if between else None,
        rescale=(slope, float(values.get("RescaleIntercept", header.intercept))),
    )


def _numbers(value: object, count: int) -> tuple[float, ...] | None:
    if not isinstance(value, Iterable):
        return None
    numbers = tuple(float(part) for part in value)
    return numbers if len(numbers) == count else None
