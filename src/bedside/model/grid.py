"""The sampling grid of MONAI's axis-aligned resampling, one axis at a time.

Owns the numbers with which torch's ``grid_sample`` reads a volume: for every output index along an axis,
the two input indices and their weights. A volume that is only scaled and shifted has a grid that is the
product of three such tables, so that none of its (x, y, z) triples, 24 bytes for every voxel, has to
exist. The tables come from the same torch functions as MONAI's grid and are equal to it bit for bit
(tests/unit/model/test_grid.py).
"""

from dataclasses import dataclass

import torch
from monai.networks.utils import to_norm_affine
from torch import Tensor

#: Largest entry off the diagonal that still counts as "only scaled and shifted", in voxels per voxel.
_ALIGNED = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """How one axis is sampled.

    Attributes:
        size: Length of the input axis.
        coordinate: Per output index, the normalised coordinate that ``grid_sample`` takes, float64.
        position: Per output index, the position in the input, float64, within the border.
        low: Index at or below the position, int64.
        high: Index above it, not beyond the border, int64.
        low_weight: Weight of ``low``, float64.
        high_weight: Weight of ``high``, float64; 0 at the border.
        nearest: Index that nearest-neighbour sampling takes, int64.
    """

    size: int
    coordinate: Tensor
    position: Tensor
    low: Tensor
    high: Tensor
    low_weight: Tensor
    high_weight: Tensor
    nearest: Tensor


def sampling_axes(
    transform: Tensor, in_size: tuple[int, ...], out_size: tuple[int, ...], *, align_corners: bool
) -> tuple[Axis, Axis, Axis] | None:
    """Return how each axis is sampled, or None where the grid is not a product of axes.

    Args:
        transform: 4×4 float64, from output to input indices (i, j, k, 1).
        in_size: Input (i, j, k).
        out_size: Output (i, j, k).
        align_corners: As ``grid_sample``'s.
    """
    linear = transform[:3, :3]
    if (linear - torch.diag(torch.diagonal(linear))).abs().max() > _ALIGNED:
        return None
    # The steps of monai.networks.layers.AffineTransform.forward, for a batch of one.
    theta = to_norm_affine(
        affine=transform[None].clone(), src_size=in_size, dst_size=out_size, align_corners=align_corners
    )
    reverse = [2, 1, 0]
    theta[:, :3] = theta[:, reverse]
    theta[:, :, :3] = theta[:, :, reverse]
    axes = []
    for axis in range(3):
        size = [1, 1, 1, 1, 1]
        size[2 + axis] = out_size[axis]
        line = torch.nn.functional.affine_grid(theta[:, :3], size, align_corners=align_corners)
        axes.append(_axis(line[..., 2 - axis].reshape(-1), in_size[axis], align_corners=align_corners))
    return axes[0], axes[1], axes[2]


def _axis(coordinate: Tensor, size: int, *, align_corners: bool) -> Axis:
    """Return an axis from its normalised coordinates; see ``grid_sampler_compute_source_index``."""
    spread = coordinate + 1
    position = (spread / 2) * (size - 1) if align_corners else (spread * size - 1) / 2
    position = position.clamp(0, size - 1)
    low = position.floor()
    low_index = low.long()
    return Axis(
        size=size,
        coordinate=coordinate,
        position=position,
        low=low_index,
        high=(low_index + 1).clamp(max=size - 1),
        low_weight=(low + 1) - position,
        high_weight=position - low,
        nearest=position.round().long(),
    )
