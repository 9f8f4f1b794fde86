"""Stands in for MONAI's ``SaveImage``: keeps what would have been written, and writes nothing.

Owns the resampling that saving implies (``resample``, ``mode``, ``padding_mode``, ``dtype``,
``output_dtype``): what is kept is the array and affine of the file that MONAI would have made. It
refuses nothing but forgets everything about file names and folders.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch
from monai.data.image_writer import ImageWriter
from monai.data.meta_tensor import MetaTensor
from monai.transforms.transform import MapTransform, Transform
from monai.utils.misc import ensure_tuple_rep
from monai.utils.type_conversion import get_equivalent_dtype

#: Prefix of the keys under which captured results lie in a pipeline's dictionary.
CAPTURED = "bedside_captured:"
#: Where an array pipeline's ``SaveImage`` leaves its result.
_ATTRIBUTE = "bedside_captured"
_AFFINE_TOLERANCE = 1e-3  # MONAI's AFFINE_TOL: below it SpatialResample changes nothing


class Captured:
    """What a saving transform would have written.

    Attributes:
        array: (i, j, k), (i, j, k, channels), or fewer axes where trailing ones were squeezed.
        affine: 4×4 float64 to RAS millimetres, or None where the data had none.
    """

    def __init__(self, array: Any, affine: Any) -> None:
        self.array = array
        self.affine = affine


class CaptureImage(Transform):  # type: ignore[misc]
    """``SaveImage`` that keeps instead of writes; see there for the arguments."""

    def __init__(
        self,
        output_dir: Any = "./",
        output_postfix: str = "trans",
        output_ext: str = ".nii.gz",
        output_dtype: Any = np.float32,
        resample: bool = False,
        mode: str = "nearest",
        padding_mode: str = "border",
        scale: int | None = None,
        dtype: Any = np.float64,
        squeeze_end_dims: bool = True,
        *_args: Any,
        channel_dim: int | None = 0,
        **_kwargs: Any,
    ) -> None:
        del output_dir, output_postfix, output_ext, scale
        self.output_dtype = output_dtype
        self.resample = resample
        self.mode = mode
        self.padding_mode = padding_mode
        self.dtype = dtype
        self.squeeze_end_dims = squeeze_end_dims
        self.channel_dim = channel_dim

    def capture(self, image: Any, meta: Mapping[str, Any] | None) -> Captured:
        """Return what would have been written for a channel-first image."""
        meta = image.meta if isinstance(image, MetaTensor) else meta
        spatial = tuple((meta or {}).get("spatial_shape", ()))
        channel_dim = None if len(spatial) >= len(image.shape) else self.channel_dim
        data = ImageWriter.convert_to_channel_last(
            data=image, channel_dim=channel_dim, squeeze_end_dims=self.squeeze_end_dims, spatial_ndim=3
        )
        original, affine, shape = ImageWriter.get_meta_info(meta)
        if not _unchanged(affine, original, data.shape, shape, resample=self.resample):
            data, affine = ImageWriter.resample_if_needed(
                data_array=data,
                affine=affine,
                target_affine=original if self.resample else None,
                output_spatial_shape=shape if self.resample else None,
                mode=self.mode,
                padding_mode=self.padding_mode,
                align_corners=False,
                dtype=self.dtype,
            )
        array = (
            data.detach().as_subclass(torch.Tensor).cpu().numpy() if isinstance(data, torch.Tensor) else data
        )
        if self.output_dtype is not None and array.dtype != np.uint8:  # every type holds what bytes hold
            array = array.astype(get_equivalent_dtype(self.output_dtype, np.ndarray), copy=False)
        return Captured(array, None if affine is None else np.asarray(affine, dtype=np.float64))

    def __call__(self, img: Any, meta_data: Mapping[str, Any] | None = None, filename: Any = None) -> Any:
        """Keep the result on the image itself, for pipelines of single arrays."""
        del filename
        setattr(img, _ATTRIBUTE, self.capture(img, meta_data))
        return img


class CaptureImaged(MapTransform):  # type: ignore[misc]
    """``SaveImaged`` that keeps instead of writes; see there for the arguments."""

    def __init__(
        self,
        keys: Any,
        meta_keys: Any = None,
        meta_key_postfix: str = "meta_dict",
        output_dir: Any = "./",
        output_postfix: str = "trans",
        output_ext: str = ".nii.gz",
        resample: bool = False,
        mode: str = "nearest",
        padding_mode: str = "border",
        scale: int | None = None,
        dtype: Any = np.float64,
        output_dtype: Any = np.float32,
        allow_missing_keys: bool = False,
        squeeze_end_dims: bool = True,
        *_args: Any,
        **_kwargs: Any,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.meta_keys = ensure_tuple_rep(meta_keys, len(self.keys))
        self.meta_key_postfix = ensure_tuple_rep(meta_key_postfix, len(self.keys))
        self.saver = CaptureImage(
            output_dir,
            output_postfix,
            output_ext,
            output_dtype,
            resample,
            mode,
            padding_mode,
            scale,
            dtype,
            squeeze_end_dims,
        )

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Keep each key's image under `CAPTURED` plus the key."""
        kept = dict(data)
        for key, meta_key, postfix in self.key_iterator(kept, self.meta_keys, self.meta_key_postfix):
            name = meta_key if meta_key is not None or postfix is None else f"{key}_{postfix}"
            kept[f"{CAPTURED}{key}"] = self.saver.capture(kept[key], kept.get(name))
        return kept


class PassOn(Transform):  # type: ignore[misc]
    """Stands in for a transform that only writes reports; gives its input back."""

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        """Take and forget any arguments."""

    def __call__(self, data: Any) -> Any:
        """Return ``data``."""
        return data


def captured_in(output: Any) -> dict[str, Captured]:
    """Return what a pipeline's saving transforms kept, by key (``"pred"`` for an array pipeline)."""
    if isinstance(output, Mapping):
        return {
            str(key)[len(CAPTURED) :]: value for key, value in output.items() if str(key).startswith(CAPTURED)
        }
    kept = getattr(output, _ATTRIBUTE, None)
    return {"pred": kept} if isinstance(kept, Captured) else {}


def _unchanged(affine: Any, original: Any, shape: Any, wanted: Any, *, resample: bool) -> bool:
    """Return whether resampling would leave the data as they are, without doing it."""
    if not resample or original is None:
        return True
    if affine is None or wanted is None:
        return False
    same = np.allclose(np.asarray(affine, dtype=np.float64), np.asarray(original), atol=_AFFINE_TOLERANCE)
    return bool(same and tuple(shape[:3]) == tuple(int(size) for size in wanted))
