"""Turns what a bundle's pipeline left behind into masks on the source grid, or into numbers.

Owns the meaning of outputs: a label map, one mask per channel, or the numbers of a classifier. It
refuses what is neither (probabilities saved as an image), because rounding them would invent a mask.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bedside.domain.codes import label_for
from bedside.domain.volume import Label, Segmentation, Volume
from bedside.errors import ModelFailed
from bedside.model.bundle import Bundle
from bedside.model.nifti import to_source

_LARGEST_LABEL = 65535


def numbers_of(values: NDArray[Any], bundle: Bundle) -> dict[str, float]:
    """Return a classifier's or regressor's numbers by channel name.

    Args:
        values: Any shape; read in order.
        bundle: Names the channels.
    """
    flat = np.asarray(values, dtype=np.float64).ravel()
    names = list(bundle.channels) if len(bundle.channels) == flat.size else []
    if not names:
        names = ["value"] if flat.size == 1 else [f"output {index}" for index in range(flat.size)]
    return {name: float(value) for name, value in zip(names, flat, strict=True)}


def segmentation_of(
    array: NDArray[Any],
    affine: NDArray[np.float64],
    volume: Volume,
    bundle: Bundle,
    labels: tuple[Label, ...],
) -> Segmentation:
    """Return what a bundle saved as masks on the source grid.

    Args:
        array: (i, j, k), or (i, j, k, channels) where every channel is a mask.
        affine: 4×4, maps (i, j, k, 1) to RAS millimetres.
        volume: The source.
        bundle: Says what channels mean.
        labels: What to call them.

    Raises:
        ModelFailed: The array holds no masks, or lies on another grid.
    """
    if array.ndim == 4 and array.shape[3] > 1:
        return _overlapping(array, affine, volume, bundle, labels)
    while array.ndim > 3:
        array = array[..., 0]
    while array.ndim < 3:
        array = array[..., None]
    label_map = to_source(_whole(array), affine, volume)
    found = [int(value) for value in np.flatnonzero(np.bincount(label_map.ravel())) if value]
    known = {label.value for label in labels}
    extra = tuple(label_for(f"label {value}", value) for value in found if value not in known)
    kind = np.uint8 if max([0, *found, *known]) <= np.iinfo(np.uint8).max else np.uint16
    return Segmentation(
        array=np.ascontiguousarray(label_map, dtype=kind), affine=volume.affine, labels=(*labels, *extra)
    )


def _overlapping(
    array: NDArray[Any],
    affine: NDArray[np.float64],
    volume: Volume,
    bundle: Bundle,
    labels: tuple[Label, ...],
) -> Segmentation:
    first = 0 if bundle.first_is_background else 1
    named = {label.value: label for label in labels}
    masks, kept = [], []
    for channel in range(1 - first, array.shape[3]):
        value = channel + first
        mask = _whole(array[..., channel])
        if mask.max(initial=0) > 1:
            raise ModelFailed(f"output channel {channel} holds {int(mask.max())}, not a mask of 0 and 1")
        masks.append(np.ascontiguousarray(to_source(mask, affine, volume), dtype=np.uint8))
        kept.append(named.get(value) or label_for(f"label {value}", value))
    return Segmentation(array=np.stack(masks), affine=volume.affine, labels=tuple(kept))


def _whole(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as whole numbers, or refuse it."""
    if array.dtype.kind in "ub":
        return array
    if array.size and (
        not np.isfinite(array.sum(dtype=np.float64)) or array.min() < 0 or array.max() > _LARGEST_LABEL
    ):
        raise ModelFailed("output is no label map: it holds values below 0, above 65535 or not finite")
    whole = array.astype(np.uint16)
    differs = np.flatnonzero(whole != array)
    if differs.size:
        raise ModelFailed(
            f"output is no label map: {differs.size} of {array.size} values are not whole numbers, "
            f"e.g. {float(array.ravel()[differs[0]]):.4f}",
            hint="end the bundle's postprocessing with AsDiscreted",
        )
    return whole


def final_array(output: Any) -> NDArray[Any] | None:
    """Return the prediction left in a pipeline's output, where nothing was saved."""
    left = output.get("pred") if isinstance(output, Mapping) else output
    if left is None:
        return None
    if isinstance(left, (list, tuple)) and left:
        left = left[0]
    if isinstance(left, (int, float)):
        return np.array([left])
    if hasattr(left, "detach"):
        left = left.detach().float().cpu()
        return np.asarray(left.as_tensor() if hasattr(left, "as_tensor") else left)
    return np.asarray(left)
