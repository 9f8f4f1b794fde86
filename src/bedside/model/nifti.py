"""A volume as dcm2niix would have written it to NIfTI, and a result brought back from there.

Owns the one place where bedside's axes (slices, rows, columns; LPS) meet those that MONAI bundles were
made with (i, j, k; RAS, as nibabel reads what dcm2niix writes). Voxel order and affine follow dcm2niix
(``nii_dicom.cpp``: rows flipped, slices ordered so that the matrix has a negative determinant, single
precision throughout), because a bundle without an orientation transform sees that order, and because
"equal voxel for voxel" leaves no room for another rounding. It refuses to resample: a result that
lies on another grid than its source is not moved here.
"""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from bedside.domain.volume import Volume
from bedside.errors import ModelFailed

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Largest distance, in voxels, between two grids that count as the same.
GRID_TOLERANCE = 1e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class NiftiVolume:
    """A volume in the order and space of a NIfTI file.

    Attributes:
        array: (i, j, k), a view of the source volume's array.
        affine: 4×4 float64 holding single-precision values, maps (i, j, k, 1) to RAS millimetres.
    """

    array: NDArray[np.generic]
    affine: NDArray[np.float64]


def as_nifti(volume: Volume) -> NiftiVolume:
    """Return a volume in the voxel order and space that dcm2niix gives it."""
    rows = volume.array.shape[1]
    array = volume.array.transpose(2, 1, 0)[:, ::-1]
    matrix = _dicom_matrix(volume.affine)
    origin = volume.affine[:3, 3]
    if np.linalg.det(volume.affine[:3, :3]) > 0:
        array = array[:, :, ::-1]
        origin = origin + volume.affine[:3, 0] * (volume.array.shape[0] - 1)
    matrix[:, 3] = origin.astype(np.float32)
    matrix[:2] *= -1
    first_row = matrix[:, 1] * np.float32(rows - 1) + matrix[:, 3]
    matrix[:, 1] *= -1
    matrix[:, 3] = first_row
    affine = np.eye(4)
    affine[:3] = matrix
    if volume.acquisition_3d:
        array, affine = _closest_canonical(array, affine)
    return NiftiVolume(array=array, affine=affine)


def _dicom_matrix(affine: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return dcm2niix's matrix of column, row and slice steps, LPS, single precision, no origin."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    column = (affine[:3, 2] / spacing[2]).astype(np.float32)
    row = (affine[:3, 1] / spacing[1]).astype(np.float32)
    normal = np.array(
        [
            column[1] * row[2] - column[2] * row[1],
            column[2] * row[0] - column[0] * row[2],
            column[0] * row[1] - column[1] * row[0],
        ],
        dtype=np.float32,
    )
    steps = spacing.astype(np.float32)
    matrix = np.zeros((3, 4), dtype=np.float32)
    matrix[:, 0] = column * steps[2]
    matrix[:, 1] = row * steps[1]
    matrix[:, 2] = normal * steps[0]
    return matrix


def _closest_canonical(
    array: NDArray[np.generic], affine: NDArray[np.float64]
) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """Return the array along the patient's axes, as dcm2niix stores a 3-D MR acquisition."""
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    order = max(permutations(range(3)), key=lambda p: sum(abs(cosines[axis, p[axis]]) for axis in range(3)))
    array = array.transpose(order)
    affine = affine[:, [*order, 3]]
    for axis in range(3):
        if affine[axis, axis] < 0:
            array = np.flip(array, axis)
            last = np.float32(array.shape[axis] - 1)
            affine[:3, 3] += (affine[:3, axis].astype(np.float32) * last).astype(np.float64)
            affine[:3, axis] *= -1
    affine[:3, 3] = affine[:3, 3].astype(np.float32)
    return array, affine


def to_source(array: NDArray[np.generic], affine: NDArray[np.float64], volume: Volume) -> NDArray[np.generic]:
    """Bring a result back to (slices, rows, columns) of its source, by permuting and flipping only.

    Args:
        array: (i, j, k) on the source's grid, in any axis order or direction.
        affine: 4×4, maps (i, j, k, 1) to RAS millimetres.
        volume: The source.

    Raises:
        ModelFailed: The result does not lie on the source's grid.
    """
    # Column b of `steps` says, in source voxels, where one step along the result's axis b leads.
    steps = np.linalg.solve(volume.affine, _LPS_TO_RAS @ affine)
    order = [int(axis) for axis in np.argmax(np.abs(steps[:3, :3]), axis=0)]
    if sorted(order) != [0, 1, 2]:
        raise ModelFailed("result lies on another grid than its series: the axes do not match")
    back = array.transpose([order.index(axis) for axis in range(3)])
    steps = steps[:, [*(order.index(axis) for axis in range(3)), 3]]
    for axis in range(3):
        if steps[axis, axis] < 0:
            back = np.flip(back, axis)
            steps[:, 3] += steps[:, axis] * (back.shape[axis] - 1)
            steps[:, axis] *= -1
    corner = np.array([*(np.array(volume.array.shape) - 1), 1.0])
    off = max(np.abs(steps[:3, 3]).max(), np.abs((steps @ corner - corner)[:3]).max())
    if back.shape != volume.array.shape or off > GRID_TOLERANCE:
        raise ModelFailed(
            f"result lies on another grid than its series: {back.shape} voxels against "
            f"{volume.array.shape}, corners {off:.2f} voxels apart",
            hint="end the bundle's postprocessing with Invertd, or set resample in its SaveImaged",
        )
    return back
