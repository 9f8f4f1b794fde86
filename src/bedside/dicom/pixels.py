"""Brings stored values from files into arrays: native ones straight from their place in the file.

Owns bits (PS3.5 8.1.1: allocated, stored, high bit, sign, byte order) and nothing of their meaning.
Native little-endian frames are read by the kernel into the memory they stay in, because copying a
hundred megabytes twice costs as much as reading them.
"""

import os
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bedside.dicom.codec import decode, encoded
from bedside.dicom.header import InstanceHeader, PixelFormat
from bedside.dicom.source import inflate
from bedside.errors import InputRejected, Unavailable


def readable_in_place(header: InstanceHeader) -> bool:
    """Return whether frames lie in the file as the machine's own 16-bit integers."""
    return (
        header.native
        and not header.deflated
        and header.format.allocated == 16
        and not header.format.big_endian
    )


def read_in_place(header: InstanceHeader, index: int, out: NDArray[np.integer]) -> None:
    """Read one frame into a contiguous array of the image's type and shape.

    Raises:
        InputRejected: The file became shorter than its header says.
        Unavailable: It cannot be read.
    """
    memory = out.data.cast("B")
    offset = header.pixel_offset + index * header.frame_bytes
    try:
        descriptor = os.open(header.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            done = 0
            while done < len(memory):
                count = os.preadv(descriptor, [memory[done:]], offset + done)
                if count == 0:
                    raise InputRejected(
                        f"instance {header.sop_instance_uid}: truncated: {done} of {len(memory)} bytes"
                    )
                done += count
        finally:
            os.close(descriptor)
    except OSError as exc:
        raise Unavailable(f"a file of the study cannot be read: {exc.strerror}") from exc


def stored_frame(header: InstanceHeader, index: int) -> NDArray[np.integer]:
    """Return one frame's stored values, (rows, columns), of a type that holds them.

    Raises:
        InputRejected: It cannot be decoded or is cut short.
    """
    if not header.native:
        return true_bits(decode(encoded(header, index)), header.format)
    order = ">" if header.format.big_endian else "<"
    if header.deflated:
        start = header.pixel_offset + index * header.frame_bytes
        raw = _inflated(header)[start : start + header.frame_bytes]
        if len(raw) < header.frame_bytes:
            raise InputRejected(
                f"instance {header.sop_instance_uid}: truncated: {len(raw)} of {header.frame_bytes} bytes"
            )
        values = np.frombuffer(raw, order + header.format.dtype).reshape(header.rows, header.columns)
    else:
        values = np.empty((header.rows, header.columns), order + header.format.dtype)
        read_in_place(header, index, values.view(np.uint8))
    native: NDArray[np.integer] = values.astype(header.format.dtype)
    return true_bits(native, header.format)


def stored_frames(header: InstanceHeader) -> Iterator[NDArray[np.integer]]:
    """Yield all frames of an instance."""
    for index in range(header.frames):
        yield stored_frame(header, index)


@lru_cache(maxsize=1)
def _inflated(header: InstanceHeader) -> bytes:
    raw = header.path.read_bytes()
    data, _ = inflate(raw[header.deflated :], header.pixel_offset + header.frames * header.frame_bytes)
    return data


def true_bits(values: NDArray[np.integer], form: PixelFormat) -> NDArray[np.integer]:
    """Remove what is in the unused bits (old overlays, sign garbage), in place where possible.

    Most files leave them empty; then nothing is touched.
    """
    unused = form.allocated - form.stored
    if not unused:
        return values
    high = form.high_bit + 1 - form.stored
    if not high:
        least, most = int(values.min()), int(values.max())
        low_end, high_end = (
            (-(1 << form.stored - 1), (1 << form.stored - 1) - 1)
            if form.signed
            else (0, (1 << form.stored) - 1)
        )
        if low_end <= least and most <= high_end:
            return values
    if not values.flags.writeable:
        values = values.copy()
    np.left_shift(values, form.allocated - 1 - form.high_bit, out=values)
    np.right_shift(values, unused, out=values)
    return values
