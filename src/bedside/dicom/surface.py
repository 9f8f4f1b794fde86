"""A label's surface as a binary STL in patient space.

Owns meshing and the STL encoding. It does not smooth: the surface encloses the mask that was found,
no more and no less, and a smoothed one would disagree with the volume in the report. Meshing runs on
the mask's own box with one empty voxel around it, so the surface closes even at the volume's edge.
"""

import struct

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes

from bedside.dicom.masks import Mask

#: 80 bytes, and never beginning with "solid", which readers take for the text form. 3D Slicer reads
#: the space from here; without it, it assumes LPS since 4.11 and RAS before.
_HEADER = b"bedside surface, millimetres, SPACE=LPS"
#: Midway between outside and inside, but for a hair: at exactly one half the rule for ambiguous faces has
#: no answer on masks, and sheets that touch would share edges. A ten-thousandth of a voxel settles it.
_LEVEL = 0.4999
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def make_surface(mask: Mask, affine: NDArray[np.float64]) -> bytes:
    """Return the binary STL of one mask's surface: closed, wound outward, LPS millimetres.

    Args:
        mask: At least one voxel.
        affine: 4×4, maps (slice, row, column) to LPS millimetres; of either handedness.
    """
    padded = np.pad(mask.voxels, 1).astype(np.float32)
    corners, triangles, *_ = marching_cubes(padded, level=_LEVEL, allow_degenerate=False)
    index = corners.astype(np.float64) + (np.array(mask.origin) - 1)
    points = (index @ affine[:3, :3].T + affine[:3, 3]).astype(np.float32)
    # The library winds inward in (k, i, j); an affine that mirrors turns that outward.
    if float(np.linalg.det(affine[:3, :3])) > 0:
        triangles = triangles[:, ::-1]
    return _encode(points[triangles])


def _encode(corners: NDArray[np.float32]) -> bytes:
    """Return a binary STL of (n, 3 corners, 3 coordinates)."""
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    faces = np.zeros(len(corners), dtype=_TRIANGLE)
    faces["normal"] = np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)
    faces["corners"] = corners
    return _HEADER.ljust(80, b"\0") + struct.pack("<I", len(corners)) + faces.tobytes()
