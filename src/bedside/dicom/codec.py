"""Decodes encapsulated frames, in several processes where the codec is slow and frames are many.

Owns the choice of decoder per transfer syntax; all are permissively licensed (docs/decisions/012). It
refuses what a decoder does not decode, as the input's fault: the codestream was checked against the
image attributes before. Work is shared among processes, since OpenJPEG crashed in threads; they are
spawned, never forked, since the model's threads may be running.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import Any

import gdcm
import numpy as np
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from bedside.dicom.codestream import Span, check_claim, frame_spans, read_spans
from bedside.dicom.header import InstanceHeader
from bedside.dicom.vendor import VENDOR_ERRORS, quiet
from bedside.errors import InputRejected

#: One decoder each. A second one that is asked where the first refuses may make something of broken bytes.
PLUGINS = {
    "1.2.840.10008.1.2.5": "pylibjpeg",
    "1.2.840.10008.1.2.4.50": "pillow",
    "1.2.840.10008.1.2.4.51": "gdcm directly",
    "1.2.840.10008.1.2.4.57": "gdcm",
    "1.2.840.10008.1.2.4.70": "gdcm",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
    "1.2.840.10008.1.2.4.90": "pylibjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
    "1.2.840.10008.1.2.4.201": "pylibjpeg",
    "1.2.840.10008.1.2.4.202": "pylibjpeg",
    "1.2.840.10008.1.2.4.203": "pylibjpeg",
}
#: Milliseconds per million pixels on one core, measured by bench/read.py; slow ones go to processes.
_MS_PER_MEGAPIXEL = {
    "1.2.840.10008.1.2.5": 5,
    "1.2.840.10008.1.2.4.50": 10,
    "1.2.840.10008.1.2.4.51": 25,
    "1.2.840.10008.1.2.4.57": 40,
    "1.2.840.10008.1.2.4.70": 40,
    "1.2.840.10008.1.2.4.80": 30,
    "1.2.840.10008.1.2.4.81": 30,
}
_SLOWEST_MS_PER_MEGAPIXEL = 100
#: A pool of two costs about this to start; below twice of it one process is as soon done.
PAYING_MS = 2000
_CHUNK = 4
#: GDCM aborts its process on some broken codestreams, which must not be the model's.
FRAGILE = frozenset(("1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One frame still to be decoded: small enough to send to another process."""

    header: InstanceHeader
    spans: tuple[Span, ...]


def encoded_frames(header: InstanceHeader) -> list[Encoded]:
    """Return where the frames of an encapsulated instance lie.

    Raises:
        InputRejected: Its Pixel Data is malformed.
    """
    return [Encoded(header=header, spans=tuple(spans)) for spans in frame_spans(header)]


def decode(frame: Encoded) -> NDArray[np.integer]:
    """Decode one frame to stored values, (rows, columns), of the image's own type.

    Raises:
        InputRejected: It cannot be decoded, or is not what the image attributes say.
    See PS3.5 8.2.
    """
    return decode_codestream(frame.header, read_spans(frame.header, list(frame.spans)))


def decode_codestream(header: InstanceHeader, codestream: bytes) -> NDArray[np.integer]:
    """Decode the bytes of one frame; see `decode`."""
    check_claim(header, codestream)
    plugin = PLUGINS[header.transfer_syntax_uid]
    try:
        with quiet():
            if plugin == "gdcm directly":
                return _decode_extended(header, codestream)
            return _decode(header, codestream, plugin)
    except VENDOR_ERRORS as exc:
        raise _undecodable(header, codestream, plugin, exc) from exc
    except BaseException as exc:
        # A panic of pylibjpeg-rle's Rust is no Exception, and its class cannot be imported.
        if type(exc).__name__ != "PanicException":
            raise
        raise _undecodable(header, codestream, plugin, exc) from exc


def _undecodable(header: InstanceHeader, codestream: bytes, plugin: str, exc: BaseException) -> InputRejected:
    return InputRejected(
        f"instance {header.sop_instance_uid}: a frame of {len(codestream)} bytes cannot be decoded "
        f"({plugin}: {type(exc).__name__})"
    )


def _decode(header: InstanceHeader, codestream: bytes, plugin: str) -> NDArray[np.integer]:
    form = header.format
    options: dict[str, Any] = {
        "rows": header.rows,
        "columns": header.columns,
        "number_of_frames": 1,
        "samples_per_pixel": 1,
        "photometric_interpretation": "MONOCHROME2",
        "bits_allocated": form.allocated,
        "bits_stored": form.stored,
        "pixel_representation": int(form.signed),
        "pixel_keyword": "PixelData",
    }
    array, _ = get_decoder(header.transfer_syntax_uid).as_array(
        encapsulate([codestream], has_bot=False),
        raw=True,
        decoding_plugin=plugin,
        **options,
    )
    if array.shape != (header.rows, header.columns):
        raise ValueError(f"decoded to {array.shape}")
    stored: NDArray[np.integer] = array
    return stored


def _decode_extended(header: InstanceHeader, codestream: bytes) -> NDArray[np.integer]:
    """Decode JPEG extended with GDCM itself: pydicom does not let it do 12 bits, which it does exactly.

    Bit for bit what DCMTK gives (tests/conformance/test_transfer_syntaxes.py).
    """
    form = header.format
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(codestream)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    picture = gdcm.Image()
    picture.SetNumberOfDimensions(2)
    picture.SetDimensions((header.columns, header.rows, 1))
    picture.SetPixelFormat(gdcm.PixelFormat(1, form.allocated, form.stored, form.high_bit, int(form.signed)))
    picture.SetPhotometricInterpretation(
        gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2)
    )
    picture.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(header.transfer_syntax_uid)))
    picture.SetDataElement(element)
    raw = picture.GetBuffer().encode("utf-8", "surrogateescape")
    return np.frombuffer(raw, form.dtype).reshape(header.rows, header.columns)


def decode_all(frames: Sequence[Encoded]) -> Iterator[NDArray[np.integer]]:
    """Decode frames in order, in processes where that pays or the decoder may crash.

    Raises:
        InputRejected: As `decode`, or a decoder crashed.
    """
    workers = min(len(os.sched_getaffinity(0)), len(frames)) if cost_ms(frames) >= PAYING_MS else 1
    if workers < 2 and not any(frame.header.transfer_syntax_uid in FRAGILE for frame in frames):
        yield from map(decode, frames)
        return
    try:
        with ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=end_with_parent
        ) as pool:
            yield from pool.map(decode, frames, chunksize=_CHUNK)
    except BrokenProcessPool as exc:
        raise InputRejected(f"a decoder crashed on one of {len(frames)} frames") from exc


def end_with_parent() -> None:
    """Let this process not outlive a killed parent: it holds the writing end of its own queue open."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def cost_ms(frames: Sequence[Encoded]) -> float:
    """Return about how long decoding takes on one core."""
    return sum(
        frame.header.rows
        * frame.header.columns
        / 1e6
        * _MS_PER_MEGAPIXEL.get(frame.header.transfer_syntax_uid, _SLOWEST_MS_PER_MEGAPIXEL)
        for frame in frames
    )
