"""Stands in for MONAI's ``LoadImage``: gives a bundle the series in memory instead of a NIfTI file.

Owns the promise that a bundle cannot tell the difference: the array's order and affine are dcm2niix's, the
metadata that nibabel's reader gives is there, and every option of ``LoadImage`` that changes the outcome
is obeyed. Options that choose readers or file names change nothing and are dropped. The file name that a
transform may look at is a constant: a name could hold a patient's.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from monai.data.meta_tensor import MetaTensor
from monai.transforms.transform import MapTransform, Transform
from monai.transforms.utility.array import EnsureChannelFirst
from monai.utils.misc import ensure_tuple, ensure_tuple_rep
from monai.utils.type_conversion import convert_to_dst_type

from bedside.domain.volume import Volume
from bedside.model.nifti import as_nifti

#: What transforms see instead of a file name.
FILE_NAME = "series.nii.gz"


def nifti_metadata(affine: Any, shape: Sequence[int]) -> dict[str, Any]:
    """Return what MONAI's nibabel reader says of a 3-D NIfTI file that dcm2niix wrote.

    Args:
        affine: 4×4, maps (i, j, k, 1) to RAS millimetres.
        shape: (i, j, k).
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    pixdim = np.ones(8, dtype=np.float32)
    pixdim[0] = -1.0 if np.linalg.det(affine[:3, :3]) < 0 else 1.0
    pixdim[1:4] = spacing
    return {
        "dim": np.array([3, *shape, 1, 1, 1, 1], dtype=np.int16),
        "pixdim": pixdim,
        "original_pixdim": pixdim.copy(),
        "affine": affine.copy(),
        "original_affine": affine.copy(),
        "as_closest_canonical": False,
        "spatial_shape": np.asarray(shape, dtype=np.int16),
        "space": "RAS",
        "original_channel_dim": float("nan"),
        "filename_or_obj": FILE_NAME,
    }


class LoadVolume(Transform):  # type: ignore[misc]
    """``LoadImage`` for a `Volume`; see there for the arguments."""

    def __init__(
        self,
        reader: Any = None,
        image_only: bool = True,
        dtype: Any = np.float32,
        ensure_channel_first: bool = False,
        simple_keys: bool = False,
        prune_meta_pattern: str | None = None,
        prune_meta_sep: str = ".",
        *_args: Any,
        **_kwargs: Any,
    ) -> None:
        del reader
        self.image_only = image_only
        self.dtype = dtype
        self.ensure_channel_first = ensure_channel_first
        self.simple_keys = simple_keys
        self.pattern = prune_meta_pattern
        self.sep = prune_meta_sep

    def __call__(self, volume: Volume) -> Any:
        """Return the volume as a MetaTensor (i, j, k), or with its metadata beside it."""
        nifti = as_nifti(volume)
        array = convert_to_dst_type(nifti.array, dst=nifti.array, dtype=self.dtype)[0]
        meta = nifti_metadata(nifti.affine, array.shape)
        image = MetaTensor.ensure_torch_and_prune_meta(
            array, meta, self.simple_keys, pattern=self.pattern, sep=self.sep
        )
        if self.ensure_channel_first:
            image = EnsureChannelFirst()(image, meta_dict=meta)
        if self.image_only:
            return image
        return image, (image.meta if isinstance(image, MetaTensor) else meta)


class LoadVolumed(MapTransform):  # type: ignore[misc]
    """``LoadImaged`` for a `Volume`; see there for the arguments."""

    def __init__(
        self,
        keys: Any,
        reader: Any = None,
        dtype: Any = np.float32,
        meta_keys: Any = None,
        meta_key_postfix: str = "meta_dict",
        overwriting: bool = False,
        image_only: bool = True,
        ensure_channel_first: bool = False,
        simple_keys: bool = False,
        prune_meta_pattern: str | None = None,
        prune_meta_sep: str = ".",
        allow_missing_keys: bool = False,
        *_args: Any,
        **_kwargs: Any,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.loader = LoadVolume(
            reader,
            image_only,
            dtype,
            ensure_channel_first,
            simple_keys,
            prune_meta_pattern,
            prune_meta_sep,
        )
        self.meta_keys = (
            ensure_tuple_rep(None, len(self.keys)) if meta_keys is None else ensure_tuple(meta_keys)
        )
        self.meta_key_postfix = ensure_tuple_rep(meta_key_postfix, len(self.keys))
        self.overwriting = overwriting

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Replace each key's `Volume` by its image."""
        loaded = dict(data)
        for key, meta_key, postfix in self.key_iterator(loaded, self.meta_keys, self.meta_key_postfix):
            result = self.loader(loaded[key])
            if self.loader.image_only:
                loaded[key] = result
                continue
            name = meta_key or f"{key}_{postfix}"
            if name in loaded and not self.overwriting:
                raise KeyError(f"Metadata with key {name} already exists and overwriting=False.")
            loaded[key], loaded[name] = result
        return loaded
