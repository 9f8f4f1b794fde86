"""Says which transfer syntaxes this installation can decode, without decoding anything.

For ``bedside doctor``: a decoder that cannot be imported (a missing package, a broken shared library)
is found before a study needs it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from bedside.dicom.codec import PLUGINS


@dataclass(frozen=True, slots=True, kw_only=True)
class Decodable:
    """One compressed transfer syntax and what decodes it here.

    Attributes:
        name: Of the transfer syntax (PS3.6 Annex A).
        decoders: Importable decoders of those that bedside uses, best first; empty is a gap.
        missing: Those that are not importable.
    """

    name: str
    decoders: tuple[str, ...]
    missing: tuple[str, ...]


def decodable() -> Mapping[str, Decodable]:
    """Return every compressed transfer syntax that bedside reads, by UID."""
    return {uid: _of(uid, plugins) for uid, plugins in PLUGINS.items()}


def _of(uid: str, plugins: tuple[str, ...]) -> Decodable:
    known = set(get_decoder(uid).available_plugins) | {"pydicom"}
    # Importing bedside.dicom.codec has imported GDCM itself already.
    there = tuple(name for name in plugins if name in known or name == "gdcm directly")
    return Decodable(
        name=UID(uid).name,
        decoders=there,
        missing=tuple(name for name in plugins if name not in there),
    )
