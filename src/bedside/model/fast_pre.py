"""The usual beginning of a preprocessing pipeline, from the volume in memory to the network's grid.

Owns the equivalent of LoadImaged, EnsureChannelFirstd, Orientationd and Spacingd in a row: MONAI's own
transforms do the bookkeeping on an image without channels, and the voxels go from the series' own array to
the new grid in one step, equal bit for bit. Anything that is not exactly this is left to MONAI, step by
step: a transform after these, an option outside the list, an oblique grid.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from monai.data.meta_tensor import MetaTensor
from monai.transforms import Compose, EnsureChannelFirstd, Orientationd, ScaleIntensityRanged, Spacingd
from monai.transforms.transform import apply_transform

from bedside.domain.volume import Volume
from bedside.model.interpolation import Placement, resampled
from bedside.model.loading import LoadVolumed, nifti_metadata
from bedside.model.nifti import as_nifti
from bedside.model.program import flat
from bedside.model.resampling import Request, in_slabs, recorded

_SPATIAL = (Orientationd, Spacingd)
_ROUNDED = 1e-4


def is_plain(pipeline: Any) -> bool:
    """Return whether a pipeline is nothing but its transforms in order."""
    if not hasattr(pipeline, "transforms"):
        return True
    return (
        type(pipeline) is Compose
        and pipeline.map_items in (True, 1)
        and not pipeline.unpack_items
        and not pipeline.lazy
        and not pipeline.overrides
        and all(is_plain(child) for child in pipeline.transforms)
    )


def prepared(preprocessing: Any, data: Mapping[str, Volume] | Volume) -> Any:
    """Run a bundle's preprocessing, by equivalents where they are known to be equal.

    Args:
        preprocessing: The bundle's pipeline.
        data: What it starts from.
    """
    transforms = flat(preprocessing)
    with in_slabs():
        if not is_plain(preprocessing) or not isinstance(data, Mapping) or len(data) != 1:
            return preprocessing(data)
        key = next(iter(data))
        count = _recognised(transforms, key)
        item: Any = dict(data)
        if count:
            image = _on_new_grid(transforms[:count], key, data[key])
            if image is None:
                count = 0
            else:
                item = {key: image}
        for transform in transforms[count:]:
            item = _scaled(transform, item, key) or apply_transform(transform, item)
        return item


def _recognised(transforms: list[Any], key: str) -> int:
    """Return how many transforms from the start make the known beginning; 0 for none."""
    if not transforms or type(transforms[0]) is not LoadVolumed or tuple(transforms[0].keys) != (key,):
        return 0
    loader = transforms[0].loader
    if not loader.image_only or loader.pattern is not None or loader.simple_keys:
        return 0
    if np.dtype(loader.dtype) != np.float32:
        return 0
    count = 1
    channel_first = bool(loader.ensure_channel_first)
    for transform in transforms[1:]:
        if tuple(getattr(transform, "keys", ())) != (key,) or getattr(transform, "lazy", False):
            break
        if type(transform) is EnsureChannelFirstd and not channel_first:
            channel_first = True
        elif not (type(transform) in _SPATIAL and channel_first):
            break
        count += 1
    return count if count > 1 and channel_first else 0


def _on_new_grid(transforms: list[Any], key: str, volume: Volume) -> Any:
    """Return the image after the known beginning, or None where MONAI has to do it."""
    nifti = as_nifti(volume)
    meta = nifti_metadata(nifti.affine, nifti.array.shape)
    # Only its shape and metadata are looked at, so one byte stands for every voxel.
    image = MetaTensor(
        torch.zeros((), dtype=torch.uint8).expand(nifti.array.shape), meta=meta, affine=meta["affine"]
    )
    if transforms[0].loader.ensure_channel_first:
        image = EnsureChannelFirstd(keys=key)({key: image})[key]
    before = after = nifti.affine
    with recorded() as requests:
        for transform in transforms[1:]:
            if type(transform) is not EnsureChannelFirstd and image.shape[0] == 1:
                image = _without_channels(image)
            asked = len(requests)
            start = np.asarray(image.affine)
            image = transform({key: image})[key]
            if len(requests) > asked:
                before, after = start, np.asarray(image.affine)
    if len(requests) > 1 or tuple(image.shape[0:1]) != (0,):
        return None
    voxels = _voxels(volume, before, after, np.asarray(image.affine), requests)
    if voxels is None or tuple(voxels.shape) != tuple(image.shape[1:]):
        return None
    return MetaTensor(voxels[None], meta=image.meta, applied_operations=image.applied_operations)


def _without_channels(image: Any) -> Any:
    empty = torch.empty((0, *image.shape[1:]))
    return MetaTensor(empty, meta=image.meta, applied_operations=image.applied_operations)


def _voxels(
    volume: Volume,
    before: Any,
    after: Any,
    final: Any,
    requests: list[Request],
) -> torch.Tensor | None:
    """Return the voxels on the grid that ``final`` describes, from the array in memory."""
    array = np.ascontiguousarray(volume.array)
    ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    if not requests:
        placement = placement_between(ras @ volume.affine, final)
        return None if placement is None else torch.from_numpy(_moved(array, placement))
    placement = placement_between(ras @ volume.affine, before)
    turned = placement_between(after, final)
    axes = requests[0].axes()
    if placement is None or turned is None or axes is None or requests[0].mode != "bilinear":
        return None
    if [array.shape[axis] for axis in placement.order] != list(requests[0].in_size):
        return None
    voxels = resampled(array, placement, axes)
    flipped = [turned.order[n] for n in range(3) if turned.flipped[n]]
    if flipped or turned.order != (0, 1, 2):
        voxels = torch.flip(voxels, flipped).permute(turned.order).contiguous()
    return voxels


def _moved(array: Any, placement: Placement) -> Any:
    moved = array.transpose(placement.order)
    for axis, flipped in enumerate(placement.flipped):
        if flipped:
            moved = np.flip(moved, axis)
    return np.ascontiguousarray(moved, dtype=np.float32)


def placement_between(source: Any, target: Any) -> Placement | None:
    """Return how one grid's axes make another's, or None where they do more than swap and turn round.

    Args:
        source: 4×4 affine of the grid in memory.
        target: 4×4 affine of the grid wanted, in the same space.
    """
    steps = np.linalg.solve(np.asarray(source), np.asarray(target))[:3, :3]
    rounded = np.rint(steps)
    if np.abs(steps - rounded).max() > _ROUNDED or not np.array_equal(
        np.abs(rounded).sum(axis=0), np.ones(3)
    ):
        return None
    order = [int(axis) for axis in np.argmax(np.abs(rounded), axis=0)]
    if sorted(order) != [0, 1, 2]:
        return None
    signs = [rounded[order[n], n] < 0 for n in range(3)]
    return Placement(
        order=(order[0], order[1], order[2]), flipped=(bool(signs[0]), bool(signs[1]), bool(signs[2]))
    )


def _scaled(transform: Any, item: dict[str, Any], key: str) -> dict[str, Any] | None:
    """Do ScaleIntensityRanged in place, operation by operation as MONAI does; None for any other."""
    if type(transform) is not ScaleIntensityRanged or tuple(transform.keys) != (key,):
        return None
    scaler = transform.scaler
    image = item.get(key)
    if (
        not isinstance(image, MetaTensor)
        or image.dtype != torch.float32
        or scaler.dtype
        not in (
            np.float32,
            torch.float32,
        )
    ):
        return None
    if scaler.a_max - scaler.a_min == 0.0:
        return None
    voxels = image.as_tensor()
    voxels.sub_(scaler.a_min).div_(scaler.a_max - scaler.a_min)
    if scaler.b_min is not None and scaler.b_max is not None:
        voxels.mul_(scaler.b_max - scaler.b_min).add_(scaler.b_min)
    if scaler.clip:
        voxels.clamp_(scaler.b_min, scaler.b_max)
    return item
