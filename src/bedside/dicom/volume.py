"""Stacks a series into one array of modality values with its affine.

Owns the rescale and the choice of the array's type. Padding, and the display side of MONOCHROME1, are
left as they are: values mean the same whatever they look like on a screen (docs/decisions/013). Whole
values are computed in the 16-bit memory they were read into, modulo 2^16, which is exact because the
range was looked at first.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bedside.dicom.codec import decode_all
from bedside.dicom.frames import Frame
from bedside.dicom.geometry import Stack
from bedside.dicom.header import InstanceHeader
from bedside.dicom.pixels import FrameReader, read_in_place, readable_in_place, true_bits
from bedside.dicom.scan import Series
from bedside.domain.volume import Volume
from bedside.errors import InputRejected

#: More than any scanner's series; a hostile header must not make us allocate without end.
MAX_VOXELS = 2**31
_LEAST, _MOST = -(2**15), 2**15 - 1


def read_volume(series: Series) -> Volume:
    """Stack one series in patient space.

    Returns:
        Array (slices, rows, columns) in ascending order along the normal; int16 where the rescaled
        values are whole numbers that fit, else float32. Affine maps (k, i, j) to LPS millimetres.

    Raises:
        InputRejected: The series cannot be read correctly; `bedside.dicom.geometry` and
            `bedside.dicom.frames` list the kinds.
        Unavailable: A file cannot be opened.
    See PS3.3 C.7.6.2 and C.11.1.
    """
    grid = series.stack
    slices, rows, columns = grid.shape
    if slices * rows * columns > MAX_VOXELS:
        raise InputRejected(
            f"series {series.uid}: {slices} × {rows} × {columns} voxels, more than {MAX_VOXELS}"
        )
    whole = _whole(grid)
    return Volume(
        array=_real(grid) if whole is None else whole,
        affine=grid.affine,
        modality=series.modality,
        body_part=series.body_part,
        frame_of_reference_uid=series.frame_of_reference_uid,
        series_uid=series.uid,
        source_spacing_mm=grid.spacing_mm,
        acquisition_3d=series.modality == "MR" and series.attributes.get("MRAcquisitionType") == "3D",
        numbered_downwards=_numbered_downwards(series, slices),
    )


def _numbered_downwards(series: Series, slices: int) -> bool:
    """Return whether the first slice, lowest along the normal, seems to have the highest number."""
    number = series.attributes.get("InstanceNumber")
    return isinstance(number, (int, float)) and 1 < slices <= number and len(series.instances) == slices


def _stored(grid: Stack) -> Iterator[NDArray[np.integer]]:
    """Yield stored values of every frame in the stack's order."""
    reader = FrameReader()
    packed = [reader.encoded(f.header, f.index) for f in grid.frames if not f.header.native]
    decoded = decode_all(packed)
    for frame in grid.frames:
        header = frame.header
        yield reader.stored(header, frame.index) if header.native else true_bits(next(decoded), header.format)


def _whole(grid: Stack) -> NDArray[np.int16] | None:
    """Return int16 values, or None where rescaled values are not whole or do not fit."""
    if not all(frame.slope.is_integer() and frame.intercept.is_integer() for frame in grid.frames):
        return None
    array = np.empty(grid.shape, np.int16)
    if all(readable_in_place(frame.header) for frame in grid.frames):
        for out, frame in zip(array, grid.frames, strict=True):
            stored = _view(out, frame.header)
            read_in_place(frame.header, frame.index, stored)
            true_bits(stored, frame.header.format)
            if not _rescale(out, stored, frame):
                return None
        return array
    for out, frame, stored in zip(array, grid.frames, _stored(grid), strict=True):
        if not _rescale(out, stored, frame):
            return None
    return array


def _view(out: NDArray[np.int16], header: InstanceHeader) -> NDArray[np.integer]:
    return out if header.format.signed else out.view(np.uint16)


def _rescale(out: NDArray[np.int16], stored: NDArray[np.integer], frame: Frame) -> bool:
    """Write ``stored × slope + intercept``, or return False where it does not fit."""
    slope, intercept = int(frame.slope), int(frame.intercept)
    ends = [int(end) * slope + intercept for end in (stored.min(), stored.max())]
    if min(ends) < _LEAST or max(ends) > _MOST:
        return False
    if not np.shares_memory(out, stored):
        np.copyto(out, stored, casting="unsafe")
    if slope != 1:
        np.multiply(out, _modulo(slope), out=out)
    if intercept:
        np.add(out, _modulo(intercept), out=out)
    return True


def _modulo(value: int) -> np.int16:
    return np.int16((value + 2**15) % 2**16 - 2**15)


def _real(grid: Stack) -> NDArray[np.float32]:
    array = np.empty(grid.shape, np.float32)
    for out, frame, stored in zip(array, grid.frames, _stored(grid), strict=True):
        # In double precision and rounded once, as a reader of the NIfTI equivalent computes it.
        out[...] = stored * frame.slope + frame.intercept
    return array
