"""One long value of an instance by its path, as little-endian bytes."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian

from bedside.dicom.source import read_whole
from bedside.dicom.vendor import VENDOR_ERRORS, quiet
from bedside.errors import InputRejected, NotFound

_WIDTHS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8, "FL": 4, "FD": 8}


def value_bytes(path: Path, where: str) -> bytes:
    """Return the bytes of a value.

    Args:
        path: The instance.
        where: Tags and numbers of items, with slashes between; see `Described`.

    Raises:
        InputRejected: The instance cannot be read.
        NotFound: It has no such value.
    """
    *steps, last = where.split("/")
    try:
        with quiet():
            dataset: Dataset = read_whole(path)
            for tag, item in zip(steps[::2], steps[1::2], strict=True):
                inner: Dataset = dataset[int(tag, 16)].value[int(item)]
                dataset = inner
            element = dataset[int(last, 16)]
            vr, value = str(element.VR), element.value
    except (KeyError, IndexError) as exc:
        raise NotFound("no such value in this instance") from exc
    except VENDOR_ERRORS as exc:
        raise InputRejected(f"instance cannot be read ({type(exc).__name__})") from exc
    width = _WIDTHS.get(vr, 1)
    if not isinstance(value, bytes):
        numbers = value if isinstance(value, (list, pydicom.multival.MultiValue)) else [value]
        return bytes(np.asarray(numbers, f"<f{width}").tobytes())
    big = _syntax(path) == ExplicitVRBigEndian
    return (
        bytes(np.frombuffer(value, f">u{width}").astype(f"<u{width}").tobytes())
        if big and width > 1
        else value
    )


def _syntax(path: Path) -> str:
    with quiet():
        return str(pydicom.filereader.read_file_meta_info(path).get("TransferSyntaxUID", ""))
