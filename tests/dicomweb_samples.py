"""A study whose instances lie in every transfer syntax that bedside takes, one each."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from bedside.dicom.decoders import sample
from dicom_samples import change, compress, series

NATIVE = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
LOSSLESS = (RLELossless, JPEGLSLossless, JPEG2000Lossless, JPEGLossless, JPEGLosslessSV1)
#: By how much values may be off.
LOSSY = {JPEGBaseline8Bit: 2, JPEGExtended12Bit: 2, JPEGLSNearLossless: 2, JPEG2000: 40}
#: Nothing here encodes them: codestreams that another made.
READY_MADE = {HTJ2KLossless: 0, HTJ2KLosslessRPCL: 0, HTJ2K: 2}
EVERY = (*NATIVE, *LOSSLESS, *LOSSY, *READY_MADE)
SIZE = (32, 40)


@dataclass(frozen=True)
class Sample:
    """One instance, and the stored values that went into it.

    Attributes:
        path: Its file.
        values: (rows, columns).
        off: By how much decoded values may differ.
    """

    path: Path
    values: NDArray[np.unsignedinteger]
    off: int


def every_syntax(folder: Path, *, seed: str = "syntaxes", **attributes: object) -> Mapping[UID, Sample]:
    """Write the study; a patient's name in Japanese and an old character set among its attributes."""
    folder.mkdir(parents=True, exist_ok=True)
    array = np.stack([sample().astype(np.int16) + n for n in range(len(EVERY))]) - 1024
    paths = series(folder, array=array, modality="CT", seed=seed, **attributes)
    ordered = sorted(paths, key=lambda path: int(pydicom.dcmread(path).InstanceNumber))
    return {syntax: _sample(path, syntax) for path, syntax in zip(ordered, EVERY, strict=True)}


def _sample(path: Path, syntax: UID) -> Sample:
    values = np.asarray(pydicom.dcmread(path).pixel_array)
    off = LOSSY.get(syntax, READY_MADE.get(syntax, 0))
    if syntax == JPEGBaseline8Bit:
        values = (values // 2).astype(np.uint8)
        change(path, lambda dataset: _eight_bits(dataset, values))
    if syntax in READY_MADE:
        values = sample()
        change(path, lambda dataset: _encapsulated(dataset, syntax))
        return Sample(path, values, off)
    options = {"jls_error": 2} if syntax == JPEGLSNearLossless else {}
    if syntax == JPEG2000:
        options = {"j2k_cr": [5]}
    compress(path, syntax, **options)
    return Sample(path, values, off)


def _eight_bits(dataset: Dataset, values: NDArray[np.uint8]) -> None:
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelData = values.tobytes()


def _encapsulated(dataset: Dataset, syntax: UID) -> None:
    codestream = (files("bedside.dicom") / "samples" / f"{syntax}.bin").read_bytes()
    dataset.PixelData = encapsulate([codestream])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
