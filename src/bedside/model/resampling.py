"""What MONAI's spatial transforms ask of ``grid_sample``: recorded, or done in less memory.

Owns two stand-ins for ``monai.networks.layers.AffineTransform`` as the spatial transforms see it. One
records the request and does nothing: MONAI's own code then keeps all its books (affine, applied
operations, shapes) on a tensor without channels, and the work is done elsewhere. The other does the work
slab by slab, with the same arithmetic but without the whole grid in memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from monai.networks.layers.spatial_transforms import AffineTransform
from monai.transforms.spatial import functional
from torch import Tensor

from bedside.model.grid import Axis, sampling_axes

#: Output voxels per slab: bounds the grid at 24 bytes each.
_SLAB_VOXELS = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One resampling that a transform asked for.

    Attributes:
        transform: 4×4 float64, from output to input indices.
        in_size: (i, j, k) of the input.
        out_size: (i, j, k) of the output.
        mode: ``bilinear`` or ``nearest``.
        padding_mode: At the border.
        align_corners: As ``grid_sample``'s.
        dtype: Of the arithmetic.
    """

    transform: Tensor
    in_size: tuple[int, ...]
    out_size: tuple[int, ...]
    mode: str
    padding_mode: str
    align_corners: bool
    dtype: torch.dtype

    def axes(self) -> tuple[Axis, Axis, Axis] | None:
        """Return how each axis is sampled, or None where bedside has no equivalent for the request."""
        if len(self.in_size) != 3 or self.dtype != torch.float64 or self.padding_mode != "border":
            return None
        if self.mode not in {"bilinear", "nearest"} or tuple(self.transform.shape) != (4, 4):
            return None
        return sampling_axes(self.transform, self.in_size, self.out_size, align_corners=self.align_corners)


class _Recorder(AffineTransform):  # type: ignore[misc]
    requests: list[Request]

    def forward(self, src: Tensor, theta: Tensor, spatial_size: Any = None) -> Tensor:
        """Note the request; return an output of the right shape without content."""
        out_size = tuple(int(size) for size in spatial_size)
        self.requests.append(_request(self, src, theta, out_size))
        return src.new_zeros((*src.shape[:2], *out_size))


class _Slabs(AffineTransform):  # type: ignore[misc]
    def forward(self, src: Tensor, theta: Tensor, spatial_size: Any = None) -> Tensor:
        """Resample slab by slab where the grid is a product of axes, else as MONAI does."""
        if spatial_size is None or src.shape[0] != 1 or src.device.type != "cpu" or self.normalized:
            return self._whole(src, theta, spatial_size)
        out_size = tuple(int(size) for size in spatial_size)
        axes = _request(self, src, theta, out_size).axes()
        if axes is None:
            return self._whole(src, theta, spatial_size)
        return _in_slabs(src, axes, self.mode, self.padding_mode, align_corners=self.align_corners)

    def _whole(self, src: Tensor, theta: Tensor, spatial_size: Any) -> Tensor:
        result: Tensor = super().forward(src, theta, spatial_size)
        return result


def _request(layer: Any, src: Tensor, theta: Tensor, out_size: tuple[int, ...]) -> Request:
    return Request(
        transform=theta.detach().clone(),
        in_size=tuple(src.shape[2:]),
        out_size=out_size,
        mode=str(layer.mode),
        padding_mode=str(layer.padding_mode),
        align_corners=bool(layer.align_corners),
        dtype=src.dtype,
    )


def _in_slabs(
    src: Tensor, axes: Sequence[Axis], mode: str, padding_mode: str, *, align_corners: bool
) -> Tensor:
    first, second, third = (axis.coordinate for axis in axes)
    rows = max(1, _SLAB_VOXELS // (len(second) * len(third)))
    src = src.contiguous()
    result = src.new_empty((*src.shape[:2], len(first), len(second), len(third)))
    for start in range(0, len(first), rows):
        part = first[start : start + rows]
        shape = (1, len(part), len(second), len(third))
        grid = torch.stack(
            (
                third.view(1, 1, 1, -1).expand(shape),
                second.view(1, 1, -1, 1).expand(shape),
                part.view(1, -1, 1, 1).expand(shape),
            ),
            dim=-1,
        )
        result[:, :, start : start + len(part)] = torch.nn.functional.grid_sample(
            src, grid, mode=mode, padding_mode=padding_mode, align_corners=align_corners
        )
    return result


@contextmanager
def recorded() -> Iterator[list[Request]]:
    """Record what spatial transforms ask for while the context lasts; nothing is resampled."""
    requests: list[Request] = []
    recorder = type("Recorder", (_Recorder,), {"requests": requests})
    with _standing_in(recorder):
        yield requests


@contextmanager
def in_slabs() -> Iterator[None]:
    """Let spatial transforms resample slab by slab while the context lasts."""
    with _standing_in(_Slabs):
        yield


@contextmanager
def _standing_in(layer: type) -> Iterator[None]:
    """Give MONAI's spatial transforms another resampling layer. A session is alone in its thread."""
    before = functional.AffineTransform
    functional.AffineTransform = layer
    try:
        yield
    finally:
        functional.AffineTransform = before
