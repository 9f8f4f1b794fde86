"""A prepared volume as a NIfTI-1 file, for viewers that read those.

Owns the header and the turn to RAS. Voxels stay as they lie: x fastest in both.
"""

import struct

import numpy as np

from bedside.viewing.grid import Grid, Level

_HEADER_BYTES, _OFFSET = 348, 352
_MILLIMETRES = 2
_SCANNER = 1
_TYPES = {"int16": (4, 16), "uint8": (2, 8)}


def nifti_header(grid: Grid, level: Level, dtype: str) -> bytes:
    """Return all that stands before the voxels of a level.

    Args:
        grid: Of the volume.
        level: Every how many voxels are given.
        dtype: ``int16``, whose values are scaled, or ``uint8`` of a label map.

    See nifti1.h: a header of 348 bytes, an extension flag of 4; sform maps (x, y, z) to RAS millimetres.
    """
    z, y, x = level.shape
    strides = np.array(level.stride, dtype=np.float64)
    affine = np.array(grid.affine)
    columns = affine[:3, :3] * strides
    # From LPS (z, y, x) to RAS (x, y, z).
    ras = np.diag([-1.0, -1.0, 1.0]) @ np.column_stack([columns[:, ::-1], affine[:3, 3]])
    spacing = [mm * by for mm, by in zip(grid.spacing_mm, level.stride, strict=True)]
    kind, bits = _TYPES[dtype]
    scaled = dtype == "int16"
    header = bytearray(_OFFSET)
    struct.pack_into("<i", header, 0, _HEADER_BYTES)
    struct.pack_into("<8h", header, 40, 3, x, y, z, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, kind, bits)
    struct.pack_into("<8f", header, 76, 1.0, spacing[2], spacing[1], spacing[0], 0, 0, 0, 0)
    slope, intercept = (grid.slope, grid.intercept) if scaled else (1.0, 0.0)
    struct.pack_into("<3f", header, 108, _OFFSET, slope, intercept)
    struct.pack_into("<B", header, 123, _MILLIMETRES)
    if scaled:
        struct.pack_into("<2f", header, 124, grid.most, grid.least)
    struct.pack_into("<2h", header, 252, 0, _SCANNER)
    for row in range(3):
        struct.pack_into("<4f", header, 280 + 16 * row, *ras[row])
    header[344:348] = b"n+1\0"
    return bytes(header)
