"""A frame as a picture for people: windowed grey values or colours, as PNG, JPEG or GIF.

Owns the grey scale of PS3.3 C.11 (modality and VOI, the window's three functions, inverse grey scales) and
the viewport of PS3.18 8.3.5. No text is burnt in. Called in processes of their own: decoders may crash.
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi

from bedside.dicom.header import read_header
from bedside.dicom.native import decoded
from bedside.dicom.pixels import FrameReader
from bedside.dicom.vendor import VENDOR_ERRORS, quiet
from bedside.errors import InputRejected

#: What can be made, and Pillow's word for it.
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}
MAX_SIDE_PX = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How values become grey. See PS3.3 C.11.2.1.

    Attributes:
        centre: Middle of the window, after the modality LUT.
        width: Of the window.
        function: ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID``.
    """

    centre: float
    width: float
    function: str = "LINEAR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewport:
    """What part of the image is shown, and how large.

    Attributes:
        width: At most so many pixels, or 0 for as many as there are.
        height: At most so many pixels, or 0.
        region: x, y, width and height in pixels of the image; negative sizes flip; None is all of it.
    """

    width: int
    height: int
    region: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a frame is to be shown.

    Attributes:
        media_type: One of `FORMATS`.
        window: None is the instance's own, or all values where it has none.
        viewport: None is the image as it is.
        quality: Of a JPEG, 1 to 100.
    """

    media_type: str = "image/jpeg"
    window: Window | None = None
    viewport: Viewport | None = None
    quality: int = 90


def rendered(path: Path, index: int, look: Look) -> bytes:
    """Return a picture of one frame.

    Raises:
        InputRejected: It cannot be decoded.
    """
    try:
        with quiet():
            dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            picture = Image.fromarray(_picture(path, index, dataset, look.window))
    except VENDOR_ERRORS as exc:
        raise InputRejected(f"frame {index + 1} cannot be shown ({type(exc).__name__})") from exc
    if look.viewport is not None:
        picture = _through(picture, look.viewport)
    written = BytesIO()
    options: dict[str, Any] = {"quality": look.quality} if look.media_type == "image/jpeg" else {}
    if look.media_type == "image/png":
        options = {"compress_level": 3}
    picture.save(written, format=FORMATS[look.media_type], **options)
    return written.getvalue()


def _picture(path: Path, index: int, dataset: Dataset, window: Window | None) -> NDArray[np.uint8]:
    header = read_header(path)
    if header is not None and not header.problem:
        stored: NDArray[Any] = FrameReader().stored(header, index)
        return _grey(stored, index, dataset, window)
    array = decoded(path, index)
    photometric = str(dataset.get("PhotometricInterpretation", ""))
    if photometric == "PALETTE COLOR":
        array = apply_color_lut(array, dataset)
        return (array >> 8).astype(np.uint8) if array.dtype.itemsize > 1 else array.astype(np.uint8)
    if array.ndim == 2:
        return _grey(array, index, dataset, window)
    bits = int(dataset.get("BitsStored", 8))
    return (array >> (bits - 8)).astype(np.uint8) if bits > 8 else array.astype(np.uint8)


def _grey(stored: NDArray[Any], index: int, dataset: Dataset, window: Window | None) -> NDArray[np.uint8]:
    values = _modality(stored, index, dataset)
    if window is None:
        window = _own_window(index, dataset)
    if window is None and dataset.get("VOILUTSequence"):
        looked = apply_voi(values.astype(stored.dtype), dataset).astype(np.float64)
        level = _spread(looked)
    else:
        level = _spread(values) if window is None else _windowed(values, window)
    inverse = str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1"
    shape = str(dataset.get("PresentationLUTShape", ""))
    if inverse != (shape == "INVERSE"):
        level = 1.0 - level
    return np.round(level * 255).astype(np.uint8)


def _modality(stored: NDArray[Any], index: int, dataset: Dataset) -> NDArray[np.float64]:
    group = _group(dataset, index, "PixelValueTransformationSequence")
    if group is not None and "RescaleSlope" in group:
        slope, intercept = float(group.RescaleSlope), float(group.get("RescaleIntercept", 0))
        return stored.astype(np.float64) * slope + intercept
    looked: NDArray[np.float64] = apply_modality_lut(stored, dataset).astype(np.float64)
    return looked


def _own_window(index: int, dataset: Dataset) -> Window | None:
    source = _group(dataset, index, "FrameVOILUTSequence") or dataset
    centre, width = source.get("WindowCenter"), source.get("WindowWidth")
    if centre is None or width is None:
        return None
    try:
        first = [float(v[0] if isinstance(v, pydicom.multival.MultiValue) else v) for v in (centre, width)]
    except (ValueError, TypeError, IndexError):
        return None
    function = str(source.get("VOILUTFunction", "LINEAR") or "LINEAR")
    return Window(centre=first[0], width=first[1], function=function) if first[1] >= 1 else None


def _group(dataset: Dataset, index: int, keyword: str) -> Dataset | None:
    """Return a functional group of a frame: its own, or the shared one. See PS3.3 C.7.6.16."""
    own = dataset.get("PerFrameFunctionalGroupsSequence") or ()
    shared = dataset.get("SharedFunctionalGroupsSequence") or ()
    for group in (*own[index : index + 1], *shared[:1]):
        if group.get(keyword):
            found: Dataset = group[keyword].value[0]
            return found
    return None


def _windowed(values: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """See PS3.3 C.11.2.1.2."""
    centre, width = window.centre, max(window.width, 1e-9)
    if window.function == "SIGMOID":
        level: NDArray[np.float64] = 1.0 / (
            1.0 + np.exp(np.clip(-4.0 * (values - centre) / width, -500, 500))
        )
        return level
    if window.function == "LINEAR_EXACT":
        level = (values - centre) / width + 0.5
    else:
        level = (values - (centre - 0.5)) / max(width - 1.0, 1e-9) + 0.5
    clipped: NDArray[np.float64] = np.clip(level, 0.0, 1.0)
    return clipped


def _spread(values: NDArray[np.float64]) -> NDArray[np.float64]:
    least, most = float(values.min()), float(values.max())
    spread: NDArray[np.float64] = (values - least) / max(most - least, 1e-9)
    return spread


def _through(picture: Image.Image, viewport: Viewport) -> Image.Image:
    if viewport.region is not None:
        x, y, width, height = viewport.region
        picture = picture.crop((round(x), round(y), round(x + abs(width)), round(y + abs(height))))
        if width < 0:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if height < 0:
            picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    wide, high = viewport.width or picture.width, viewport.height or picture.height
    scale = min(wide / picture.width, high / picture.height)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.BICUBIC) if size != picture.size else picture
