"""In which form somebody wants an answer. See PS3.18 8.7.

Owns the reading of ``Accept`` (header or query parameter) and which media type each transfer syntax has.
What cannot be given is refused with 406, and the refusal says what there is.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.requests import Request

EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
ANY = "*"
DICOM = "application/dicom"
JSON = "application/dicom+json"
OCTETS = "application/octet-stream"
#: Of compressed frames, by transfer syntax. See PS3.18 Table 8.7.3-5.
FRAME_TYPES = {
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
}
#: Uncompressed, and little endian once they are out of the file.
UNCOMPRESSED = frozenset(
    {"1.2.840.10008.1.2", EXPLICIT_LITTLE, "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"}
)
_PIECES = re.compile(r'((?:[^,;"]|"[^"]*")+)([,;]?)')
_MAX_LENGTH = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One form in which an answer is welcome.

    Attributes:
        media_type: Lower case, e.g. ``application/dicom``; may end in ``/*``.
        multipart: Whether it is to be a part of ``multipart/related``; None is either.
        transfer_syntax: A UID, ``*``, or empty where nothing is said.
        quality: 0 to 1.
    """

    media_type: str
    multipart: bool | None
    transfer_syntax: str
    quality: float

    def means(self, media_type: str) -> bool:
        """Return whether a media type is one of those meant."""
        return self.media_type in ("*/*", media_type, media_type.partition("/")[0] + "/*")

    @property
    def is_anything(self) -> bool:
        """Whether nothing is said of it at all."""
        return self.media_type == "*/*"


def wanted(request: Request) -> Sequence[Wanted]:
    """Return what is welcome, the most welcome first."""
    text = ", ".join(
        [*request.query_params.getlist("accept"), *request.headers.getlist("accept")]
        if "accept" in request.query_params
        else request.headers.getlist("accept")
    )
    if len(text) > _MAX_LENGTH:
        raise HTTPException(400, f"Accept: {len(text)} characters, at most {_MAX_LENGTH}")
    found = [_wanted(words) for words in _split(text)] or [_wanted(["*/*"])]
    return sorted((one for one in found if one.quality > 0), key=lambda one: -one.quality)


def refuse(*offered: str) -> HTTPException:
    """Return the refusal that says what could be given."""
    return HTTPException(
        406, f"none of the accepted media types can be given; there is: {', '.join(offered)}"
    )


def choose(request: Request, offered: Sequence[str]) -> str:
    """Return the most welcome of some single-part media types; the first where anything is.

    Raises:
        HTTPException: 406, none of them is.
    """
    for one in wanted(request):
        for media_type in offered:
            if one.multipart is not True and one.means(media_type):
                return media_type
    raise refuse(*offered)


def chosen_json(request: Request) -> str:
    """Return the media type of JSON that is welcome.

    Raises:
        HTTPException: 406: it is not; there is no XML.
    """
    return choose(request, (JSON, "application/json"))


def _split(text: str) -> Iterable[list[str]]:
    """Return each media range as its words: the type, then parameters."""
    words: list[str] = []
    for piece, end in _PIECES.findall(text):
        if piece.strip():
            words.append(piece.strip())
        if end != ";" and words:
            yield words
            words = []
    if words:
        yield words


def _wanted(words: Sequence[str]) -> Wanted:
    parameters = {}
    for word in words[1:]:
        name, _, value = word.partition("=")
        parameters[name.strip().lower()] = value.strip().strip('"')
    media_type = words[0].lower()
    multipart: bool | None = None if media_type == "*/*" else False
    if media_type in ("multipart/related", "multipart/*"):
        media_type, multipart = parameters.get("type", "*/*").lower(), True
    try:
        quality = min(1.0, max(0.0, float(parameters.get("q", "1"))))
    except ValueError:
        quality = 1.0
    return Wanted(
        media_type=media_type,
        multipart=multipart,
        transfer_syntax=parameters.get("transfer-syntax", ""),
        quality=quality,
    )
