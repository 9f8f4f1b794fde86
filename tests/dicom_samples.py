"""Studies for tests of reading: small series of any orientation, and instances changed by hand."""

from collections.abc import Callable
from pathlib import Path

import gdcm
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
)

from bedside.dicom.create import SeriesSpec, write_series

AXIAL = np.array([[0, 0, 0.8, -100], [0, 0.7, 0, -120], [2.5, 0, 0, 40], [0, 0, 0, 1]], dtype=float)


def ramp(shape: tuple[int, int, int] = (6, 10, 12), *, low: int = -1000) -> NDArray[np.int16]:
    """An array in which every voxel differs from its neighbours and from its mirror images."""
    k, i, j = np.indices(shape)
    return (low + 97 * k + 11 * i + 3 * j + (i * j) % 7).astype(np.int16)


def series(
    folder: Path,
    *,
    array: NDArray[np.int16] | None = None,
    affine: NDArray[np.float64] = AXIAL,
    seed: str = "reading",
    modality: str = "CT",
    number: int = 1,
    **attributes: object,
) -> list[Path]:
    """Write a series and return its files."""
    spec = SeriesSpec(seed=seed, modality=modality, series_number=number, attributes=attributes)
    return write_series(folder, ramp() if array is None else array, affine, spec=spec)


def change(path: Path, edit: Callable[[Dataset], None], *, to: Path | None = None) -> Path:
    """Edit one instance with pydicom."""
    dataset = pydicom.dcmread(path)
    edit(dataset)
    dataset.save_as(to or path)
    return to or path


def assign(path: Path, **values: object) -> Path:
    """Set attributes of one instance; None removes."""

    def edit(dataset: Dataset) -> None:
        for keyword, value in values.items():
            if value is None:
                delattr(dataset, keyword)
            else:
                setattr(dataset, keyword, value)

    return change(path, edit)


def rotation(axis: tuple[float, float, float], angle: float) -> NDArray[np.float64]:
    """A 3×3 rotation about an axis (Rodrigues)."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def enhanced(paths: list[Path], out: Path, *, order: list[int] | None = None) -> Path:
    """Pack single-frame instances into one enhanced multi-frame instance, frames in any order."""
    sources = [pydicom.dcmread(path) for path in paths]
    sources = [sources[i] for i in (order or range(len(sources)))]
    dataset = pydicom.dcmread(paths[0])
    modality = dataset.Modality
    dataset.SOPClassUID = EnhancedCTImageStorage if modality == "CT" else EnhancedMRImageStorage
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.NumberOfFrames = len(sources)
    shared, measures, plane = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = dataset.PixelSpacing
    measures.SliceThickness = dataset.SliceThickness
    plane.ImageOrientationPatient = dataset.ImageOrientationPatient
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([plane])
    groups = []
    for index, source in enumerate(sources):
        group, content, place, values = Dataset(), Dataset(), Dataset(), Dataset()
        content.StackID = "1"
        content.InStackPositionNumber = index + 1
        content.DimensionIndexValues = [1, index + 1]
        place.ImagePositionPatient = source.ImagePositionPatient
        values.RescaleSlope = source.get("RescaleSlope", 1)
        values.RescaleIntercept = source.get("RescaleIntercept", 0)
        values.RescaleType = "HU" if modality == "CT" else "US"
        group.FrameContentSequence = Sequence([content])
        group.PlanePositionSequence = Sequence([place])
        group.PixelValueTransformationSequence = Sequence([values])
        groups.append(group)
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "SliceThickness",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.PixelData = b"".join(source.PixelData for source in sources)
    dataset.save_as(out)
    return out


def rewritten(path: Path, syntax: pydicom.uid.UID, to: Path) -> Path:
    """Store one uncompressed instance in another uncompressed transfer syntax."""
    dataset = pydicom.dcmread(path)
    big = syntax == ExplicitVRBigEndian
    if big and dataset.BitsAllocated > 8:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(
        to,
        dataset,
        implicit_vr=syntax == ImplicitVRLittleEndian,
        little_endian=not big,
        enforce_file_format=True,
        force_encoding=False,
    )
    return to


def with_gdcm(path: Path, syntax: UID) -> None:
    """Compress one instance in place with GDCM."""
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change_syntax = gdcm.ImageChangeTransferSyntax()
    change_syntax.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change_syntax.SetInput(reader.GetImage())
    assert change_syntax.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change_syntax.GetOutput())
    assert writer.Write()


def compress(path: Path, syntax: UID, **options: float) -> None:
    """Compress one instance in place."""
    if not syntax.is_encapsulated:
        rewritten(path, syntax, path)
    elif syntax in (JPEGLossless, JPEGLosslessSV1, JPEGBaseline8Bit, JPEGExtended12Bit):
        with_gdcm(path, syntax)
    else:
        change(path, lambda d: d.compress(syntax, generate_instance_uid=False, **options))
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax
