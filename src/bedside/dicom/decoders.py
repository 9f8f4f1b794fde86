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
        decoder: What bedside decodes it with.
        importable: Whether that is installed and loads.
    """

    name: str
    decoder: str
    importable: bool


def decodable() -> Mapping[str, Decodable]:
    """Return every compressed transfer syntax that bedside reads, by UID."""
    return {uid: _of(uid, decoder) for uid, decoder in PLUGINS.items()}


def _of(uid: str, decoder: str) -> Decodable:
    # Importing bedside.dicom.codec has imported GDCM itself already.
    there = decoder == "gdcm directly" or decoder in get_decoder(UID(uid)).available_plugins
    return Decodable(name=UID(uid).name, decoder=decoder.partition(" ")[0], importable=there)
