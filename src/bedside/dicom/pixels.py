"""Brings stored values from files into arrays: native ones straight from their place in the file.

Owns bits (PS3.5 8.1.1: allocated, stored, high bit, sign, byte order) and nothing of their meaning.
Native little-endian frames are read by the kernel into the memory they stay in, because copying a
hundred megabytes twice costs as much as reading them.
"""

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bedside.dicom.codec import Encoded, decode_all, encoded_frames
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


class FrameReader:
    """Reads stored values frame by frame; holds the last instance that had to be unpacked as a whole.

    One per reading: what it holds must not outlive the files, which another study may replace.
    """

    def __init__(self) -> None:
        self._encoded: dict[InstanceHeader, list[Encoded]] = {}
        self._inflated: tuple[InstanceHeader, bytes] | None = None

    def encoded(self, header: InstanceHeader, index: int) -> Encoded:
        """Return where one frame of an encapsulated instance lies.

        Raises:
            InputRejected: Its Pixel Data is malformed.
        """
        if header not in self._encoded:
            self._encoded[header] = encoded_frames(header)
        return self._encoded[header][index]

    def stored(self, header: InstanceHeader, index: int) -> NDArray[np.integer]:
        """Return one frame's stored values, (rows, columns), of a type that holds them.

        Raises:
            InputRejected: It cannot be decoded or is cut short.
        """
        if not header.native:
            return true_bits(next(decode_all([self.encoded(header, index)])), header.format)
        kind = (">" if header.format.big_endian else "<") + header.format.dtype
        if header.deflated:
            values = np.frombuffer(self._inflate(header, index), kind).reshape(header.rows, header.columns)
        else:
            values = np.empty((header.rows, header.columns), kind)
            read_in_place(header, index, values.view(np.uint8))
        native: NDArray[np.integer] = values.astype(header.format.dtype)
        return true_bits(native, header.format)

    def _inflate(self, header: InstanceHeader, index: int) -> bytes:
        if self._inflated is None or self._inflated[0] is not header:
            raw = header.path.read_bytes()
            end = header.pixel_offset + header.frames * header.frame_bytes
            self._inflated = header, inflate(raw[header.deflated :], end)[0]
        start = header.pixel_offset + index * header.frame_bytes
        found = self._inflated[1][start : start + header.frame_bytes]
        if len(found) < header.frame_bytes:
            raise InputRejected(
                f"instance {header.sop_instance_uid}: truncated: {len(found)} of {header.frame_bytes} bytes"
            )
        return found


def stored_frames(header: InstanceHeader) -> Iterator[NDArray[np.integer]]:
    """Yield the stored values of all frames of an instance."""
    reader = FrameReader()
    if header.native:
        yield from (reader.stored(header, index) for index in range(header.frames))
        return
    for values in decode_all([reader.encoded(header, index) for index in range(header.frames)]):
        yield true_bits(values, header.format)


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
