"""Where pydicom's many errors and its talk become ours.

Owns the list of what pydicom and the codecs raise on broken bytes, and keeps their warnings out of
the log, since these quote values and a value may be a patient's name.
"""

import logging
import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom._uid_dict import UID_dictionary
from pydicom.errors import BytesLengthException, InvalidDicomError

#: What broken bytes make pydicom, its plugins and zlib raise; a list, since a broad except hides our bugs.
VENDOR_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidDicomError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,  # pydicom's word for a sequence without items; our own reads stand outside these
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

_UID = re.compile(r"[0-9.]{1,64}")
_TALKING = ("pydicom", "pylibjpeg", "PIL")


def uid_name(uid: str) -> str:
    """Return the standard's name of a UID, or the UID; what is none may be anything, and is not repeated.

    `pydicom.uid.UID` would warn of malformed ones.
    """
    if uid in UID_dictionary:
        return UID_dictionary[uid][0]
    return uid if _UID.fullmatch(uid) else "(no UID)"


def silence() -> None:
    """Keep pydicom and the codecs quiet for the rest of this process's life.

    For processes of many threads, in which `quiet` of one would let another's values through at its end.
    """
    for name in _TALKING:
        logging.getLogger(name).disabled = True
    warnings.filterwarnings("ignore", module=r"(pydicom|pylibjpeg|PIL)\b")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence pydicom's warnings and log lines, which may hold values of the header."""
    loggers = [logging.getLogger(name) for name in _TALKING]
    before = [logger.disabled for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.disabled = True
        try:
            yield
        finally:
            for logger, was in zip(loggers, before, strict=True):
                logger.disabled = was
