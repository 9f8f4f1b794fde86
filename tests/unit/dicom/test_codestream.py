"""Items are found or refused; a codestream's own size is read before any decoder believes it."""

import os
import struct
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from bedside.dicom.codec import Encoded, decode_all, encoded_frames
from bedside.dicom.codestream import check_claim, frame_spans, read_spans
from bedside.dicom.header import InstanceHeader, read_header
from bedside.dicom.scan import scan
from bedside.dicom.volume import read_volume
from bedside.errors import InputRejected
from dicom_samples import change, ramp, series


def packed(folder: Path, syntax: pydicom.uid.UID) -> InstanceHeader:
    (path,) = series(folder, array=ramp((1, 40, 56)))
    change(path, lambda d: d.compress(syntax, generate_instance_uid=False))
    header = read_header(path)
    assert header is not None
    return header


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_a_codestream_says_its_size(tmp_path: Path, syntax: pydicom.uid.UID) -> None:
    header = packed(tmp_path, syntax)
    (spans,) = frame_spans(header)
    codestream = read_spans(header, spans)
    check_claim(header, codestream)
    for wrong, words in (
        (replace(header, rows=41), "codestream of 40 × 56 × 1, image attributes say 41 × 56 × 1"),
        (replace(header, format=replace(header.format, allocated=8)), "bits for 8 allocated"),
    ):
        with pytest.raises(InputRejected, match=words):
            check_claim(wrong, codestream)
    for noise in (b"", codestream[:9], b"\xff\xd8\xff\xd9", b"MZ" + codestream[2:40].replace(b"\xff", b"\0")):
        with pytest.raises(InputRejected, match="no JPEG codestream"):
            check_claim(header, noise)


def test_a_cut_item_refuses_the_series(tmp_path: Path) -> None:
    header = packed(tmp_path, RLELossless)
    header.path.write_bytes(header.path.read_bytes()[:-60])
    (found,) = scan([header.path]).series
    with pytest.raises(InputRejected, match="malformed or cut"):
        read_volume(found)


def test_an_item_that_claims_more_than_the_file_is_refused(tmp_path: Path) -> None:
    header = packed(tmp_path, RLELossless)
    raw = bytearray(header.path.read_bytes())
    place = header.pixel_offset + 8 + struct.unpack_from("<L", raw, header.pixel_offset + 4)[0] + 4
    raw[place : place + 4] = b"\xff\xff\xff\x7f"
    header.path.write_bytes(raw)
    with pytest.raises(InputRejected, match="malformed or cut"):
        frame_spans(header)


def test_a_panic_of_the_rle_decoder_is_the_inputs_fault(tmp_path: Path) -> None:
    """Rust panics are BaseExceptions: uncaught, one broken slice would end the worker."""
    header = packed(tmp_path, RLELossless)
    raw = bytearray(header.path.read_bytes())
    ((span,),) = frame_spans(header)
    raw[span.offset + 64 : span.offset + span.length] = b"\x81" * (span.length - 64)  # far too many pixels
    header.path.write_bytes(raw)
    (found,) = scan([header.path]).series
    with pytest.raises(InputRejected, match=r"cannot be decoded \(pylibjpeg: PanicException\)"):
        read_volume(found)


@dataclass
class Deadly:
    """Ends the process that unpickles it, as a crashing decoder would."""

    rows: int = 8000
    columns: int = 8000
    transfer_syntax_uid: str = JPEG2000Lossless

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (3,)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core decodes in its own process")
def test_a_decoder_that_crashes_is_the_inputs_fault(tmp_path: Path) -> None:
    (whole,) = encoded_frames(packed(tmp_path, JPEG2000Lossless))
    frames = [whole, Encoded(header=cast(InstanceHeader, Deadly()), spans=whole.spans)]
    with pytest.raises(InputRejected, match="a decoder crashed on one of 2 frames"):
        list(decode_all(frames))
