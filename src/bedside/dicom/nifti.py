"""A segmentation as NIfTI, laid out as dcm2niix lays out the series it was made from.

Owns the turn from (slices, rows, columns) and LPS to (x, y, z) and RAS. It writes the same bytes
each time: no time stamp in the gzip header.
"""

import gzip

import nibabel
import numpy as np
from numpy.typing import NDArray

from bedside.domain.volume import Segmentation

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Masks shrink a hundredfold at the fastest level already.
_GZIP_LEVEL = 1


def make_nifti(segmentation: Segmentation) -> bytes:
    """Return a gzipped NIfTI-1 of the label map, or of one mask per label where masks overlap.

    Axes are (columns, rows from the last, slices) as dcm2niix orders them, then labels where masks
    overlap; the affine maps them to RAS millimetres.
    """
    array, affine = segmentation.array, segmentation.affine
    # (…, slices, rows, columns) becomes (columns, rows, slices, …)
    moved = np.moveaxis(array, (-1, -2, -3), (0, 1, 2))[:, ::-1]
    rows = array.shape[-2]
    to_lps = np.eye(4)
    to_lps[:3, 0], to_lps[:3, 1], to_lps[:3, 2] = affine[:3, 2], -affine[:3, 1], affine[:3, 0]
    to_lps[:3, 3] = affine[:3, 3] + (rows - 1) * affine[:3, 1]
    image = nibabel.Nifti1Image(np.asarray(moved, order="F"), _LPS_TO_RAS @ to_lps)
    image.header.set_xyzt_units("mm")
    image.set_sform(image.affine, code="scanner")
    image.set_qform(None, code="unknown") if _sheared(image.affine) else image.set_qform(
        image.affine, code="scanner"
    )
    return gzip.compress(image.to_bytes(), compresslevel=_GZIP_LEVEL, mtime=0)


def _sheared(affine: NDArray[np.float64]) -> bool:
    """Return whether no quaternion can hold the affine (gantry tilt)."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() > 1e-4)
