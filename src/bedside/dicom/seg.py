"""DICOM Segmentation: the masks as one BINARY SEG instance (PS3.3 A.51).

Owns the SEG's own modules. It writes BINARY only: viewers shift the colours of LABELMAP. It is
written with pydicom alone: highdicom wants every source instance's full header, which costs more
than the rest of the writing; the tests read ours back with highdicom. Frames without a voxel are
left out, but every segment keeps at least one frame, so that "looked for, not found" is a valid
object that a report can point at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import SegmentationStorage
from pydicom.valuerep import DSfloat

from bedside.dicom.derived import (
    Reference,
    code_item,
    long_string,
    name_private_scheme,
    release_title,
    result_uid,
    series_item,
    start,
    unique,
)
from bedside.dicom.masks import Mask
from bedside.domain.identity import derived_uid
from bedside.domain.request import RunRequest
from bedside.domain.volume import Code, Label, Volume

_SERIES_NUMBER = 9001
_SEGMENTATION = Code(value="113076", scheme="DCM", meaning="Segmentation")
_SOURCE_IMAGE = Code(value="121322", scheme="DCM", meaning="Source image for image processing operation")
#: Frames packed at once: bounds memory, and a multiple of 8, so that every piece ends on a byte.
_PACKED_FRAMES = 32
#: sRGB to CIE XYZ, and its white. D65, without adaptation to the D50 of ICC profiles: so every reader in
#: use (dcmtk, dcmqi, highdicom, OHIF, Weasis) turns the value back, see docs/decisions/021.
_SRGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.9505, 1.0, 1.089])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """One frame: which segment, which slice of the volume, and the place of that slice in the stack."""

    mask: Mask
    k: int
    rank: int


def make_seg(
    masks: Sequence[Mask],
    *,
    request: RunRequest,
    volume: Volume,
    source: Dataset,
    sources: Sequence[Reference],
    overlapping: bool = True,
) -> FileDataset:
    """Build the SEG of all masks.

    Args:
        masks: On the volume's grid, one per label, empty ones included.
        overlapping: Whether a voxel may belong to two masks; False spares the search for one.
        request: Identity, dates and release.
        volume: Grid and Frame of Reference; the source of the masks.
        source: Full header of one source instance.
        sources: Source of every slice of the volume, in its order.

    Returns:
        The instance, ready to be encoded. See PS3.3 A.51 and C.8.20.
    """
    made = start(source, request, kind="SEG", sop_class_uid=SegmentationStorage, series_number=_SERIES_NUMBER)
    made.SeriesDescription = release_title(request)
    # Type 1 here, while old series may lack it: then the series is a space of its own.
    made.FrameOfReferenceUID = volume.frame_of_reference_uid or derived_uid(
        "frame of reference", volume.series_uid
    )
    made.PositionReferenceIndicator = source.get("PositionReferenceIndicator", "")
    frames = list(_frames(masks, volume))
    made.SegmentSequence = [_segment(mask, request) for mask in masks]
    name_private_scheme(made, (mask.label.code for mask in masks))
    _image(made, source, request, volume)
    _references(made, volume, [sources[frame.k] for frame in frames])
    _geometry(made, volume)
    _dimensions(made, request)
    ranks = {frame.rank for frame in frames}
    place = {rank: index for index, rank in enumerate(sorted(ranks), start=1)}
    planes = {frame.k: _plane_position(volume, frame.k) for frame in frames}
    made.PerFrameFunctionalGroupsSequence = [
        _frame_item(frame, place[frame.rank], planes[frame.k], sources[frame.k]) for frame in frames
    ]
    made.NumberOfFrames = len(frames)
    made.SegmentsOverlap = "YES" if overlapping and _overlap(masks) else "NO"
    made.PixelData = _pixels(frames, volume.array.shape[1:])
    made["PixelData"].VR = "OB"
    return made


def _frames(masks: Sequence[Mask], volume: Volume) -> Iterator[_Frame]:
    """Iterate over the frames to write: by segment, then by place along the image normal."""
    slices = volume.array.shape[0]
    normal = np.cross(volume.affine[:3, 2], volume.affine[:3, 1])
    ascending = float(volume.affine[:3, 0] @ normal) > 0
    for mask in masks:
        filled = np.flatnonzero(mask.voxels.any(axis=(1, 2))) + mask.box[0].start
        chosen = [int(k) for k in filled] or [slices // 2]
        ranked = sorted((k if ascending else slices - 1 - k, k) for k in chosen)
        for rank, k in ranked:
            yield _Frame(mask=mask, k=k, rank=rank)


def _segment(mask: Mask, request: RunRequest) -> Dataset:
    """Return the Segment Sequence item of one label (PS3.3 C.8.20.4)."""
    label = mask.label
    item = Dataset()
    item.SegmentNumber = mask.number
    item.SegmentLabel = long_string(label.name, f"label {label.value}")
    item.SegmentAlgorithmType = "AUTOMATIC"
    item.SegmentAlgorithmName = release_title(request)
    item.SegmentedPropertyCategoryCodeSequence = [code_item(label.category)]
    kind = code_item(label.code)
    if label.modifier:
        kind.SegmentedPropertyTypeModifierCodeSequence = [code_item(label.modifier)]
    item.SegmentedPropertyTypeCodeSequence = [kind]
    if label.region:
        item.AnatomicRegionSequence = [code_item(label.region)]
    item.RecommendedDisplayCIELabValue = cielab(label)
    item.TrackingID = long_string(label.name, f"label {label.value}")
    item.TrackingUID = tracking_uid(request, label)
    return item


def tracking_uid(request: RunRequest, label: Label) -> str:
    """Return the Tracking UID of what a label marks, shared by SEG and SR."""
    return result_uid(request, "tracking", str(label.value), label.name)


def cielab(label: Label) -> list[int]:
    """Return a label's colour as Recommended Display CIELab Value (0062,000D), 16-bit encoded.

    See PS3.3 C.10.7.1.1.
    """
    encoded = np.array(label.colour, dtype=np.float64) / 255.0
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    ratio = (_SRGB_TO_XYZ @ linear) / _WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio / (3 * (6 / 29) ** 2) + 4 / 29)
    lightness, a, b = 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])
    scaled = (lightness / 100, (a + 128) / 255, (b + 128) / 255)
    return [round(min(max(float(value), 0.0), 1.0) * 65535) for value in scaled]


def _image(made: FileDataset, source: Dataset, request: RunRequest, volume: Volume) -> None:
    """General Image, Image Pixel and Segmentation Image (PS3.3 C.7.6.1, C.7.6.3, C.8.20.2)."""
    made.ImageType = ["DERIVED", "PRIMARY"]
    made.ContentLabel = "SEGMENTATION"
    made.ContentDescription = release_title(request)
    made.ContentCreatorName = ""
    made.SegmentationType = "BINARY"
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME2"
    made.PixelRepresentation = 0
    made.Rows, made.Columns = (int(size) for size in volume.array.shape[1:])
    made.BitsAllocated, made.BitsStored, made.HighBit = 1, 1, 0
    lossy = source.get("LossyImageCompression") == "01"
    made.LossyImageCompression = "01" if lossy else "00"
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if lossy and source.get(keyword) is not None:
            made[keyword] = source[keyword]
    if source.get("BodyPartExamined"):
        made.BodyPartExamined = source.BodyPartExamined


def _references(made: FileDataset, volume: Volume, used: Sequence[Reference]) -> None:
    """Common Instance Reference (PS3.3 C.12.2): the instances that frames were made from."""
    items = [reference.item() for reference in unique(used)]
    made.ReferencedSeriesSequence = [
        series_item(volume.series_uid, items, sequence="ReferencedInstanceSequence")
    ]


def _decimals(values: Sequence[float] | NDArray[np.float64]) -> list[DSfloat]:
    """Return Decimal Strings of at most 16 characters (PS3.5 6.2)."""
    return [DSfloat(float(value) + 0.0, auto_format=True) for value in values]


def _geometry(made: FileDataset, volume: Volume) -> None:
    """Pixel Measures and Plane Orientation, the same for all frames (PS3.3 C.7.6.16.2)."""
    step, down, along = (volume.affine[:3, axis] for axis in range(3))
    spacing = np.linalg.norm(down), np.linalg.norm(along)
    normal = np.cross(along / spacing[1], down / spacing[0])
    between = abs(float(step @ normal))
    measures = Dataset()
    measures.PixelSpacing = _decimals([float(value) for value in spacing])
    measures.SliceThickness = _decimals([between])[0]
    measures.SpacingBetweenSlices = _decimals([between])[0]
    orientation = Dataset()
    orientation.ImageOrientationPatient = _decimals(np.concatenate([along / spacing[1], down / spacing[0]]))
    shared = Dataset()
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    made.SharedFunctionalGroupsSequence = [shared]


def _dimensions(made: FileDataset, request: RunRequest) -> None:
    """Multi-frame Dimension (PS3.3 C.7.6.17): segment, then position."""
    organization_uid = result_uid(request, "SEG", "dimensions")
    organization = Dataset()
    organization.DimensionOrganizationUID = organization_uid
    made.DimensionOrganizationSequence = [organization]
    # (index pointer, functional group pointer, description)
    pointers = (
        (0x0062000B, 0x0062000A, "Segment Number"),
        (0x00200032, 0x00209113, "Image Position (Patient)"),
    )
    items = []
    for index, group, description in pointers:
        item = Dataset()
        item.DimensionOrganizationUID = organization_uid
        item.DimensionIndexPointer = index
        item.FunctionalGroupPointer = group
        item.DimensionDescriptionLabel = description
        items.append(item)
    made.DimensionIndexSequence = items


def _plane_position(volume: Volume, k: int) -> Dataset:
    item = Dataset()
    item.ImagePositionPatient = _decimals(volume.affine[:3, 3] + k * volume.affine[:3, 0])
    return item


def _frame_item(frame: _Frame, place: int, plane: Dataset, source: Reference) -> Dataset:
    """Return one item of the Per-Frame Functional Groups Sequence."""
    content = Dataset()
    content.DimensionIndexValues = [frame.mask.number, place]
    segment = Dataset()
    segment.ReferencedSegmentNumber = frame.mask.number
    image = source.item()
    image.SpatialLocationsPreserved = "YES" if source.aligned else "NO"
    image.PurposeOfReferenceCodeSequence = [code_item(_SOURCE_IMAGE)]
    derivation = Dataset()
    derivation.DerivationCodeSequence = [code_item(_SEGMENTATION)]
    derivation.SourceImageSequence = [image]
    item = Dataset()
    item.DerivationImageSequence = [derivation]
    item.FrameContentSequence = [content]
    item.PlanePositionSequence = [plane]
    item.SegmentIdentificationSequence = [segment]
    return item


def _overlap(masks: Sequence[Mask]) -> bool:
    """Return whether any voxel belongs to two masks."""
    filled = [mask for mask in masks if mask.count]
    for index, one in enumerate(filled):
        for other in filled[index + 1 :]:
            both = [
                slice(max(a.start, b.start), min(a.stop, b.stop))
                for a, b in zip(one.box, other.box, strict=True)
            ]
            if any(part.start >= part.stop for part in both):
                continue
            in_one, in_other = (
                mask.voxels[
                    tuple(
                        slice(part.start - start, part.stop - start)
                        for part, start in zip(both, mask.origin, strict=True)
                    )
                ]
                for mask in (one, other)
            )
            if bool(np.any(in_one & in_other)):
                return True
    return False


def _pixels(frames: Sequence[_Frame], size: tuple[int, ...]) -> bytes:
    """Return all frames' bits, least significant first, without padding between (PS3.5 8.1.1)."""
    packed: list[bytes] = []
    for begin in range(0, len(frames), _PACKED_FRAMES):
        chunk = frames[begin : begin + _PACKED_FRAMES]
        bits = np.zeros((len(chunk), *size), dtype=np.bool_)
        for target, frame in zip(bits, chunk, strict=True):
            mask = frame.mask
            if mask.count:
                target[mask.box[1:]] = mask.voxels[frame.k - mask.box[0].start]
        packed.append(np.packbits(bits.reshape(-1), bitorder="little").tobytes())
    data = b"".join(packed)
    return data + b"\0" * (len(data) % 2)
