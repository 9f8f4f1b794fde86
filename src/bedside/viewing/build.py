"""From a series and its segmentations to files that a browser's questions are answered from.

Owns the files' layout: ``images.raw`` (int16) and ``labels-N.raw`` (uint8), axes (z, y, x), and
``grid.json``. Memory is the volume and its maps, once; what is written is written slab by slab. Other masks
of the same series share its images: they are linked, and the series is not read again.
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.dicom.orientation import Axes, anatomical, ends
from bedside.dicom.overlay import MOST_MAPS, Overlay, paint
from bedside.dicom.scan import Series
from bedside.dicom.volume import read_volume
from bedside.domain.volume import Volume
from bedside.errors import ErrorCode, InputRejected, told
from bedside.viewing.grid import DrawnLabel, Grid

IMAGES, GRID = "images.raw", "grid.json"
#: Two bytes each, and one more per map of labels: about 1 GiB of the portal's memory while it is read.
MOST_VOXELS = 320 * 2**20
#: Voxels looked at for the window: enough for its ends.
_SAMPLE = 2**20
_SLAB_BYTES = 32 * 2**20
#: Where a segmentation names no colour.
_COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167))


def build(series: Series, segs: Sequence[Path], folder: Path) -> Grid:
    """Write a volume and its overlay into a folder.

    Args:
        series: What the model read.
        segs: What it found.
        folder: Exists and is empty.

    Raises:
        InputRejected: It cannot be read, or is larger than what is shown here.
    """
    slices, rows, columns = shape = series.stack.shape
    if slices * rows * columns > MOST_VOXELS:
        raise InputRejected(
            f"series {series.uid}: {slices} × {rows} × {columns} voxels, at most {MOST_VOXELS} are shown",
            hint="download the result, or open the study in a viewer of your own",
            told=told(ErrorCode.STUDY_TOO_LARGE),
        )
    volume = read_volume(series)
    axes = anatomical(volume.affine)
    stored, slope, intercept = _whole(volume.array)
    least, most = _ends(volume.array)
    _write(folder / IMAGES, axes.turn(stored))
    del stored
    labels, maps = _draw(segs, folder, axes, shape, volume.affine)
    affine = axes.turned_affine(volume.affine, shape)
    z, y, x = (shape[axis] for axis in axes.order)
    grid = Grid(
        shape=(z, y, x),
        spacing_mm=(axes.step_mm[0], axes.step_mm[1], axes.step_mm[2]),
        affine=tuple(tuple(float(v) for v in row) for row in affine),
        letters=tuple(ends(affine[:3, axis]) for axis in range(3)),
        order=axes.order,
        reverse=axes.reverse,
        modality=volume.modality,
        unit=_unit(volume),
        slope=slope,
        intercept=intercept,
        least=least,
        most=most,
        maps=maps,
        labels=labels,
    )
    (folder / GRID).write_text(json.dumps(grid.to_json()), encoding="utf-8")
    return grid


def repaint(built: Path, like: Grid, segs: Sequence[Path], folder: Path) -> Grid:
    """Write other masks over images that were built before.

    Args:
        built: The folder of those images.
        like: What they are.
        segs: Other segmentations of the same series.
        folder: Exists and is empty.

    Raises:
        InputRejected: One cannot be read.
        FileNotFoundError: The images were put away meanwhile.
    """
    try:
        os.link(built / IMAGES, folder / IMAGES)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        shutil.copyfile(built / IMAGES, folder / IMAGES)
    axes = Axes(order=like.order, reverse=like.reverse, step_mm=like.spacing_mm)
    affine, (slices, rows, columns) = axes.before(np.array(like.affine), like.shape)
    labels, maps = _draw(segs, folder, axes, (slices, rows, columns), affine)
    grid = replace(like, maps=maps, labels=labels)
    (folder / GRID).write_text(json.dumps(grid.to_json()), encoding="utf-8")
    return grid


def labels_file(number: int) -> str:
    """Return the name of a map's file."""
    return f"labels-{number}.raw"


def _draw(
    segs: Sequence[Path],
    folder: Path,
    axes: Axes,
    shape: tuple[int, int, int],
    affine: NDArray[np.float64],
) -> tuple[tuple[DrawnLabel, ...], int]:
    """Write the label maps of segmentations, and return their labels and how many maps there are."""
    overlay = paint(segs, shape=shape, affine=affine, most_maps=_most_maps(shape))
    for number, one in enumerate(overlay.maps):
        _write(folder / labels_file(number), axes.turn(one))
    return _labels(overlay, axes.order, axes.reverse, shape), len(overlay.maps)


def _most_maps(shape: tuple[int, int, int]) -> int:
    """Return how many maps a volume may have: a big one has less room for labels over one another."""
    return max(1, min(MOST_MAPS, int(2 * MOST_VOXELS // np.prod(shape))))


def _unit(volume: Volume) -> str:
    return "HU" if volume.modality == "CT" else ""


def _whole(array: NDArray[Any]) -> tuple[NDArray[np.int16], float, float]:
    """Return values as int16 with their slope and intercept; real ones take all 16 bits."""
    if array.dtype == np.int16:
        return array, 1.0, 0.0
    least, most = float(np.nanmin(array)), float(np.nanmax(array))
    if not np.isfinite(most - least):
        raise InputRejected("series: values without a number among them")
    slope = (most - least) / 65535 or 1.0
    intercept = least + 32768 * slope
    whole = np.empty(array.shape, np.int16)
    for out, plane in zip(whole, array, strict=True):
        scaled = np.rint((np.nan_to_num(plane, nan=least).astype(np.float64) - intercept) / slope)
        out[...] = np.clip(scaled, -32768, 32767)
    return whole, slope, intercept


def _ends(array: NDArray[Any]) -> tuple[float, float]:
    flat = array.reshape(-1)
    some = flat[:: max(1, flat.size // _SAMPLE)]
    some = some[np.isfinite(some)]
    least, most = (float(value) for value in np.percentile(some, (1, 99.5))) if some.size else (0.0, 1.0)
    return least, max(most, least + 1e-6)


def _write(path: Path, array: NDArray[Any]) -> None:
    """Write an array, which may be a view, in the order of its axes."""
    planes = max(1, _SLAB_BYTES // (array[0].size * array.itemsize))
    with path.open("wb") as stream:
        for start in range(0, len(array), planes):
            part = np.ascontiguousarray(array[start : start + planes])
            stream.write(part.astype(part.dtype.newbyteorder("<"), copy=False).data)


def _labels(
    overlay: Overlay, order: tuple[int, ...], reverse: tuple[bool, ...], shape: tuple[int, int, int]
) -> tuple[DrawnLabel, ...]:
    labels = []
    for segment in overlay.segments:
        centre = None
        if segment.centre is not None:
            z, y, x = (
                shape[axis] - 1 - segment.centre[axis] if falls else segment.centre[axis]
                for axis, falls in zip(order, reverse, strict=True)
            )
            centre = (z, y, x)
        labels.append(
            DrawnLabel(
                name=segment.name,
                colour=segment.colour or _COLOURS[(segment.value - 1) % len(_COLOURS)],
                value=segment.value,
                map=segment.map,
                voxels=segment.voxels,
                centre=centre,
            )
        )
    return tuple(labels)
