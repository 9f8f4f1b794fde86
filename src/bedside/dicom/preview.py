"""A small picture of a result: three planes through the largest mask, the masks in their colours.

Owns choice of planes, window, overlay and letters. It shows the release, label names and volumes, and
nothing that identifies a patient. Planes are drawn as a radiologist expects (patient's right on the
left, head up), at the true proportions; an oblique series is shown along its own axes, under the
letters of the nearest anatomical directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from bedside.dicom.measure import Measurement
from bedside.dicom.orientation import LETTERS, Axes, anatomical
from bedside.domain.volume import Volume

#: Largest size of the PNG; panels shrink until it fits.
MAX_BYTES = 300_000
_PANEL_PX = 340
_MARGIN_PX = 8
_LINE_PX = 18
_FONT_PX = 13
#: Labels named below the panels; more would push the picture aside.
_NAMED_LABELS = 8
_LETTER = (255, 220, 60)
_FILL = 0.3
#: HU: soft tissue of the abdomen (centre 40, width 400), and lung (centre −600, width 1500).
_SOFT_TISSUE = (-160.0, 240.0)
_LUNG = (-1350.0, 150.0)
#: A largest mask darker than this is lung, and black in the window of soft tissue.
_DARK_HU = -400.0
#: Fewer grey levels than the eye tells apart in a thumbnail, and a third fewer bytes.
_GREY_STEP = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plane:
    """A plane by the directions (0 head, 1 posterior, 2 left) across, down and along it."""

    name: str
    across: int
    down: int
    along: int


_PLANES = (
    _Plane(name="axial", across=0, down=1, along=2),
    _Plane(name="coronal", across=1, down=0, along=2),
    _Plane(name="sagittal", across=2, down=0, along=1),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """One plane at source resolution, ready to be scaled.

    Attributes:
        values: (rows, columns) voxel values, float32, in viewing orientation.
        numbers: Which label's mask is shown, 0 for none; uint16.
        size_mm: (height, width).
        edges: Letters at left, right, top, bottom.
    """

    values: NDArray[np.float32]
    numbers: NDArray[np.uint16]
    size_mm: tuple[float, float]
    edges: tuple[str, str, str, str]


def make_preview(volume: Volume, measurements: Sequence[Measurement], *, title: str) -> bytes:
    """Return the picture as PNG, under `MAX_BYTES`.

    Args:
        volume: What was read.
        measurements: One per label; the planes cross in the largest mask's centroid, or in the middle of
            the volume where all are empty.
        title: Name and version of the release.
    """
    axes = anatomical(volume.affine)
    crossing = _crossing(volume, measurements)
    panels = [_cut(volume, measurements, axes, crossing, plane) for plane in _PLANES]
    window = _window(volume, measurements, panels)
    size = _PANEL_PX
    png = _compose(panels, measurements, window, title, size)
    while len(png) > MAX_BYTES:
        size = size * 4 // 5
        png = _compose(panels, measurements, window, title, size)
    return png


def _crossing(volume: Volume, measurements: Sequence[Measurement]) -> tuple[int, ...]:
    """Return the voxel where the planes cross."""
    shape = volume.array.shape
    largest = max(measurements, key=lambda item: item.mask.count, default=None)
    if largest is None or largest.centroid_mm is None:
        return tuple(size // 2 for size in shape)
    index = np.linalg.inv(volume.affine) @ [*largest.centroid_mm, 1.0]
    return tuple(min(max(round(float(at)), 0), size - 1) for at, size in zip(index[:3], shape, strict=True))


def _cut(
    volume: Volume,
    measurements: Sequence[Measurement],
    axes: Axes,
    crossing: tuple[int, ...],
    plane: _Plane,
) -> _Panel:
    """Take one plane out of the volume and the masks, and turn it to viewing orientation."""
    fixed = axes.order[plane.across]
    at = crossing[fixed]
    values = volume.array.take(at, axis=fixed).astype(np.float32)
    numbers = np.zeros(values.shape, dtype=np.uint16)
    # Small masks last, so that a tumour shows on its organ.
    for item in sorted(measurements, key=lambda item: -item.mask.count):
        mask = item.mask
        if mask.count and mask.box[fixed].start <= at < mask.box[fixed].stop:
            rest = tuple(extent for axis, extent in enumerate(mask.box) if axis != fixed)
            shown = mask.voxels.take(at - mask.box[fixed].start, axis=fixed)
            numbers[rest][shown] = mask.number
    if axes.order[plane.down] > axes.order[plane.along]:
        values, numbers = values.T, numbers.T
    # Down the picture goes posterior, or from head to feet; along it goes left, or posterior.
    falls = axes.reverse[plane.down] != (plane.down == 0)
    if falls:
        values, numbers = values[::-1], numbers[::-1]
    if axes.reverse[plane.along]:
        values, numbers = values[:, ::-1], numbers[:, ::-1]
    top, bottom = LETTERS[plane.down][:: -1 if plane.down == 0 else 1]
    left, right = LETTERS[plane.along]
    return _Panel(
        values=values,
        numbers=numbers,
        size_mm=(values.shape[0] * axes.step_mm[plane.down], values.shape[1] * axes.step_mm[plane.along]),
        edges=(left, right, top, bottom),
    )


def _window(
    volume: Volume, measurements: Sequence[Measurement], panels: Sequence[_Panel]
) -> tuple[float, float]:
    """Return the values shown as black and as white."""
    if volume.modality == "CT":
        largest = max(measurements, key=lambda item: item.mask.count, default=None)
        dark = largest is not None and largest.mean is not None and largest.mean < _DARK_HU
        return _LUNG if dark else _SOFT_TISSUE
    shown = np.concatenate([panel.values.reshape(-1) for panel in panels])
    least, most = (float(value) for value in np.percentile(shown[np.isfinite(shown)], (1, 99.5)))
    return least, max(most, least + 1e-6)


def _compose(
    panels: Sequence[_Panel],
    measurements: Sequence[Measurement],
    window: tuple[float, float],
    title: str,
    size: int,
) -> bytes:
    """Scale, colour, letter and encode; ``size`` is the side of a panel's square in pixels."""
    named = measurements[:_NAMED_LABELS]
    lines = 1 + (len(named) + 1) // 2 + (len(measurements) > len(named))
    width = 3 * size + 4 * _MARGIN_PX
    height = size + 3 * _MARGIN_PX + lines * _LINE_PX
    picture = Image.new("RGB", (width, height), (0, 0, 0))
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(_FONT_PX)
    scale = size / max(max(panel.size_mm) for panel in panels)
    for column, panel in enumerate(panels):
        drawn = _colour(panel, measurements, window, scale)
        left = _MARGIN_PX + column * (size + _MARGIN_PX)
        corner = (left + (size - drawn.width) // 2, _MARGIN_PX + (size - drawn.height) // 2)
        picture.paste(drawn, corner)
        _letter(draw, font, panel.edges, (left, _MARGIN_PX, left + size, _MARGIN_PX + size))
    _legend(draw, font, named, len(measurements) - len(named), title, (width, size + 2 * _MARGIN_PX))
    buffer = BytesIO()
    picture.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def _colour(
    panel: _Panel, measurements: Sequence[Measurement], window: tuple[float, float], scale: float
) -> Image.Image:
    """Return one panel at its true proportions, masks filled thinly and outlined."""
    target = (max(1, round(panel.size_mm[1] * scale)), max(1, round(panel.size_mm[0] * scale)))
    least, most = window
    level = np.clip((np.nan_to_num(panel.values) - least) / (most - least), 0.0, 1.0) * 255
    grey = np.asarray(
        Image.fromarray(level.astype(np.uint8)).resize(target, Image.Resampling.BILINEAR), dtype=np.uint8
    )
    shade = (grey // _GREY_STEP * _GREY_STEP).astype(np.float32)
    rgb = np.repeat(shade[..., np.newaxis], 3, axis=2)
    rows = (np.arange(target[1]) * panel.numbers.shape[0]) // target[1]
    columns = (np.arange(target[0]) * panel.numbers.shape[1]) // target[0]
    numbers = panel.numbers[rows][:, columns]
    padded = np.pad(numbers, 1)
    inner = (
        (padded[:-2, 1:-1] == numbers)
        & (padded[2:, 1:-1] == numbers)
        & (padded[1:-1, :-2] == numbers)
        & (padded[1:-1, 2:] == numbers)
    )
    for item in measurements:
        shown = numbers == item.mask.number
        colour = np.array(item.mask.label.colour, dtype=np.float32)
        rgb[shown & inner] = rgb[shown & inner] * (1 - _FILL) + colour * _FILL
        # Pale organ colours would drown in grey tissue: outlined at their brightest.
        rgb[shown & ~inner] = colour * (255.0 / max(float(colour.max()), 1.0))
    return Image.fromarray(rgb.astype(np.uint8))


def _letter(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    edges: tuple[str, str, str, str],
    box: tuple[int, int, int, int],
) -> None:
    """Write the patient's directions at the four sides of a panel."""
    left, top, right, bottom = box
    middle_x, middle_y = (left + right) // 2, (top + bottom) // 2
    places = (
        ((left + 3, middle_y), "lm"),
        ((right - 3, middle_y), "rm"),
        ((middle_x, top + 2), "ma"),
        ((middle_x, bottom - 2), "md"),
    )
    for letter, (place, anchor) in zip(edges, places, strict=True):
        draw.text(
            place,
            letter,
            fill=(255, 220, 60),
            font=font,
            anchor=anchor,
            stroke_width=1,
            stroke_fill=(0, 0, 0),
        )


def _legend(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    named: Sequence[Measurement],
    unnamed: int,
    title: str,
    area: tuple[int, int],
) -> None:
    """Write labels with their colours and volumes in two columns, then the release."""
    width, top = area
    line = 0
    for place, item in enumerate(named):
        left = _MARGIN_PX + (place % 2) * (width // 2)
        line = place // 2
        y = top + line * _LINE_PX
        draw.rectangle((left, y + 3, left + 10, y + 13), fill=item.mask.label.colour)
        volume = f"{item.volume_ml:.1f} mL" if item.mask.count else "not found"
        text = f"{item.mask.label.name[:40]}  {volume}"
        draw.text((left + 16, y), text, fill=(230, 230, 230), font=font)
    line = (len(named) + 1) // 2
    if unnamed:
        draw.text((_MARGIN_PX, top + line * _LINE_PX), f"and {unnamed} more", fill=(230, 230, 230), font=font)
        line += 1
    note = f"{title[:80]} · machine result, not verified"
    draw.text((_MARGIN_PX, top + line * _LINE_PX), note, fill=(150, 150, 150), font=font)
