"""Writes a CT or MR series from an array and an affine, as a scanner would store it.

Owns the making of source studies (phantoms, proofs of geometry, tests); it refuses to fill holes: an
array that is not 3-D int16 or an affine that no Image Plane can express is an error. Equal input
gives byte-identical files, because a study's identity in bedside is the hash of its instances.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import DSfloat

from bedside.domain.identity import derived_uid
from bedside.errors import UsageError

#: Of files made here, whatever version of whichever library wrote the bytes. See PS3.10 7.1.
IMPLEMENTATION_UID = UID(derived_uid("bedside", "implementation", "create"))
_STORAGE = {"CT": CTImageStorage, "MR": MRImageStorage}
#: The stored value of 0 HU in nearly every scanner's unsigned pixels.
_CT_INTERCEPT = -1024


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSpec:
    """What a written series says about itself.

    Attributes:
        seed: Of all UIDs; two specs with the same seed and numbers name the same objects.
        modality: ``"CT"`` or ``"MR"``.
        body_part: Body Part Examined (0018,0015), or ``""`` to leave it out.
        description: Series Description (0008,103E), or ``""`` to leave it out.
        patient_id: Patient ID (0010,0020).
        patient_name: Patient's Name (0010,0010).
        study_at: Date and time of study, series and content; aware.
        study_uid: Study Instance UID, or ``""`` to derive it from ``seed``.
        study_description: Study Description (0008,1030), or ``""`` to leave it out.
        series_number: Series Number (0020,0011); part of the Series Instance UID.
        attributes: Further attributes of every instance by DICOM keyword, set last (Image Type, Series
            Instance UID, …); a value of None removes the attribute.
    """

    seed: str
    modality: str = "CT"
    body_part: str = "ABDOMEN"
    description: str = ""
    patient_id: str = "PHANTOM"
    patient_name: str = "PHANTOM^SYNTHETIC"
    study_at: datetime = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
    study_uid: str = ""
    study_description: str = ""
    series_number: int = 1
    attributes: Mapping[str, object] = field(default_factory=dict)


def write_series(
    folder: Path, volume_array: NDArray[np.int16], affine: NDArray[np.float64], *, spec: SeriesSpec
) -> list[Path]:
    """Write one single-frame instance per slice, uncompressed, Explicit VR Little Endian.

    Args:
        folder: Made if missing; files are named by instance number.
        volume_array: (slices, rows, columns), int16; HU for CT, stored values for MR.
        affine: 4×4, maps (k, i, j, 1) to LPS millimetres; slices may be sheared (gantry tilt) but rows
            and columns must be perpendicular.
        spec: Identity and attributes.

    Returns:
        Paths in the array's slice order; Instance Number is the slice index plus one.

    Raises:
        UsageError: The array, the affine or the modality cannot be written.
    See PS3.3 A.3, A.4 and C.7.6.2.
    """
    _check(volume_array, affine, spec)
    folder.mkdir(parents=True, exist_ok=True)
    template = _template(volume_array, affine, spec)
    offset = -int(template.get("RescaleIntercept", 0))
    normal = np.cross(affine[:3, 2], affine[:3, 1])
    normal /= np.linalg.norm(normal)
    paths: list[Path] = []
    for index, plane in enumerate(volume_array):
        position = affine[:3, 3] + index * affine[:3, 0]
        template.SOPInstanceUID = derived_uid(template.SeriesInstanceUID, "instance", str(index + 1))
        template.file_meta.MediaStorageSOPInstanceUID = template.SOPInstanceUID
        template.InstanceNumber = index + 1
        template.ImagePositionPatient = _decimals(position)
        template.SliceLocation = _decimals([float(position @ normal)])[0]
        template.PixelData = _stored(plane, offset)
        path = folder / f"{index + 1:04d}.dcm"
        template.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def _check(array: NDArray[np.int16], affine: NDArray[np.float64], spec: SeriesSpec) -> None:
    if spec.modality not in _STORAGE:
        raise UsageError(f"modality {spec.modality!r}: only {' and '.join(_STORAGE)} series are written")
    if array.ndim != 3 or array.dtype != np.int16 or 0 in array.shape:
        raise UsageError(f"array of shape {array.shape} and type {array.dtype}: 3-D int16 is needed")
    if affine.shape != (4, 4) or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise UsageError(f"affine of shape {affine.shape}: an invertible 4×4 matrix is needed")
    rows, columns = (affine[:3, axis] / np.linalg.norm(affine[:3, axis]) for axis in (1, 2))
    if abs(float(rows @ columns)) > 1e-4:  # the tolerance of Image Orientation, PS3.3 C.7.6.2.1.1
        raise UsageError(f"affine: rows and columns meet at a cosine of {rows @ columns:.4f}, not at 0")


def _decimals(values: Any) -> list[DSfloat]:
    """Return Decimal Strings of at most 16 characters that read back as near as these can."""
    return [DSfloat(float(value) + 0.0, auto_format=True) for value in values]  # + 0.0: no "-0.0"


def _stored(plane: NDArray[np.int16], offset: int) -> bytes:
    """Return little-endian 16-bit pixels; modulo 2**16, both signs are the same bytes."""
    return (plane.astype(np.int32) + offset).astype("<u2").tobytes()


def _template(array: NDArray[np.int16], affine: NDArray[np.float64], spec: SeriesSpec) -> FileDataset:
    """Build the attributes that all instances share."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = _STORAGE[spec.modality]
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = IMPLEMENTATION_UID
    meta.ImplementationVersionName = "BEDSIDE"
    dataset = FileDataset(None, Dataset(), file_meta=meta, preamble=b"\0" * 128)  # type: ignore[arg-type]
    dataset.SOPClassUID = _STORAGE[spec.modality]
    _identity(dataset, spec)
    _plane(dataset, affine)
    _pixel(dataset, array, spec.modality)
    (_ct if spec.modality == "CT" else _mr)(dataset)
    for keyword, value in spec.attributes.items():
        if value is not None:
            setattr(dataset, keyword, deepcopy(value))
        elif keyword in dataset:
            delattr(dataset, keyword)
    if "SeriesInstanceUID" not in dataset:
        raise UsageError("Series Instance UID was removed: instances could not be named")
    return dataset


def _identity(dataset: Dataset, spec: SeriesSpec) -> None:
    """Patient, study, series, frame of reference and equipment (PS3.3 C.7.1–C.7.5)."""
    day, time = f"{spec.study_at:%Y%m%d}", f"{spec.study_at:%H%M%S}"
    study_uid = spec.study_uid or derived_uid(spec.seed, "study")
    dataset.PatientName = spec.patient_name
    dataset.PatientID = spec.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = "O"
    dataset.StudyInstanceUID = study_uid
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = day
    dataset.StudyTime = dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = time
    dataset.TimezoneOffsetFromUTC = f"{spec.study_at:%z}"
    dataset.ReferringPhysicianName = ""
    dataset.StudyID = "1"
    dataset.AccessionNumber = ""
    dataset.Modality = spec.modality
    dataset.SeriesInstanceUID = derived_uid(spec.seed, study_uid, spec.modality, str(spec.series_number))
    dataset.SeriesNumber = spec.series_number
    dataset.PatientPosition = "HFS"
    # One per study, not per series: two series of one phantom lie in the same space.
    dataset.FrameOfReferenceUID = derived_uid(study_uid, "frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.Manufacturer = "bedside"
    dataset.ManufacturerModelName = "synthetic"
    dataset.SoftwareVersions = "1"
    for keyword, text in (
        ("BodyPartExamined", spec.body_part),
        ("SeriesDescription", spec.description),
        ("StudyDescription", spec.study_description),
    ):
        if text:
            setattr(dataset, keyword, text)


def _plane(dataset: Dataset, affine: NDArray[np.float64]) -> None:
    """Image Plane, but for the position of each slice (PS3.3 C.7.6.2)."""
    down, along = affine[:3, 1], affine[:3, 2]
    spacing = np.linalg.norm(down), np.linalg.norm(along)
    normal = np.cross(along / spacing[1], down / spacing[0])
    thickness = abs(float(affine[:3, 0] @ normal))
    dataset.ImageOrientationPatient = _decimals([*(along / spacing[1]), *(down / spacing[0])])
    dataset.PixelSpacing = _decimals(spacing)
    dataset.SliceThickness = _decimals([thickness])[0]
    if dataset.Modality == "MR":  # not an attribute of the CT Image module
        dataset.SpacingBetweenSlices = _decimals([thickness])[0]


def _pixel(dataset: Dataset, array: NDArray[np.int16], modality: str) -> None:
    """Image Pixel and the rescale (PS3.3 C.7.6.3, C.8.2.1)."""
    least, most = int(array.min()), int(array.max())
    if modality == "CT":
        dataset.RescaleIntercept = min(_CT_INTERCEPT, least)
        dataset.RescaleSlope = 1
        dataset.RescaleType = "HU"
        least, most = 0, most - int(dataset.RescaleIntercept)
        dataset.WindowCenter, dataset.WindowWidth = 40, 400
    bits = 12 if least >= 0 and most < 4096 else 16
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = array.shape[1:]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
    dataset.PixelRepresentation = int(least < 0)


def _ct(dataset: Dataset) -> None:
    """CT Image (PS3.3 C.8.2.1)."""
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.AcquisitionNumber = 1
    dataset.KVP = 120
    dataset.ConvolutionKernel = "STANDARD"


def _mr(dataset: Dataset) -> None:
    """MR Image (PS3.3 C.8.3.1)."""
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    dataset.AcquisitionNumber = 1
    dataset.ScanningSequence = "GR"
    dataset.SequenceVariant = "SP"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "3D"
    dataset.RepetitionTime, dataset.EchoTime, dataset.EchoTrainLength = 4, 2, 1
    dataset.FlipAngle = 10
