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
    slices, rows, _ = volume.array.shape
    array = volume.array.transpose(2, 1, 0)
    along = (
        np.linalg.det(volume.affine[:3, :3]) < 0
    )  # slices rise along row × column, as dcm2niix stores them
    last = volume.affine[:3, 3] + volume.affine[:3, 0] * (slices - 1)
    if volume.numbered_downwards:
        matrix = _dicom_matrix(volume.affine, first=last, second=last - volume.affine[:3, 0])
        rising = not along
    else:
        first = volume.affine[:3, 3]
        matrix = _dicom_matrix(volume.affine, first=first, second=first + volume.affine[:3, 0])
        rising = along
    if not along:
        array = array[:, :, ::-1]
    if not rising:  # verify_slice_dir and nii_flipZ: the file starts with the last instance
        matrix[:, 2] *= -1
        matrix = _from_the_end(matrix, 2, slices)
    matrix[:2] *= -1
    if volume.acquisition_3d and slices > 1:
        array, matrix = _along_patient(array, matrix)
    else:
        array, matrix = array[:, ::-1], _from_the_end(matrix, 1, rows)
    affine = np.eye(4)
    affine[:3] = matrix
    return NiftiVolume(array=array, affine=affine)


def _dicom_matrix(
    affine: NDArray[np.float64], *, first: NDArray[np.float64], second: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return what ``nifti_dicom2mat`` makes of a series whose first two instances lie there, LPS."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    column = _unit((affine[:3, 2] / spacing[2]).astype(np.float32))
    row = _unit((affine[:3, 1] / spacing[1]).astype(np.float32))
    normal = np.array(
        [
            column[1] * row[2] - column[2] * row[1],
            column[2] * row[0] - column[0] * row[2],
            column[0] * row[1] - column[1] * row[0],
        ],
        dtype=np.float32,
    )
    step = first.astype(np.float32) - second.astype(np.float32)
    steps = spacing.astype(np.float32)
    matrix = np.zeros((3, 4), dtype=np.float32)
    matrix[:, 0] = column * steps[2]
    matrix[:, 1] = row * steps[1]
    matrix[:, 2] = normal * np.float32(np.sqrt(np.float64(_squared(step))))
    matrix[:, 3] = first.astype(np.float32)
    return matrix


def _squared(vector: NDArray[np.float32]) -> np.float32:
    """Return the squared length, in the order in which dcm2niix adds."""
    return np.float32((vector[0] * vector[0] + vector[1] * vector[1]) + vector[2] * vector[2])


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    return vector * np.float32(1.0 / np.sqrt(np.float64(_squared(vector))))


def _from_the_end(matrix: NDArray[np.float32], axis: int, size: int) -> NDArray[np.float32]:
    """Return the matrix of a volume whose axis runs the other way."""
    turned = matrix.copy()
    turned[:, 3] = matrix[:, axis] * np.float32(size - 1) + matrix[:, 3]
    turned[:, axis] *= -1
    return turned


def _along_patient(
    array: NDArray[np.generic], matrix: NDArray[np.float32]
) -> tuple[NDArray[np.generic], NDArray[np.float32]]:
    """Store a volume along the patient's axes, as ``nii_setOrtho`` does with 3-D acquisitions."""
    if np.array_equal(matrix[:, :3] != 0, np.eye(3, dtype=bool)) and bool((np.diag(matrix) > 0).all()):
        return array, matrix
    last = np.array(array.shape, dtype=np.float32) - 1
    turns = [[number >> axis & 1 for axis in range(3)] for number in range(8)]
    corners = np.array([_corner(matrix, last * np.array(turn, dtype=np.float32)) for turn in turns])
    nearest = int(np.argmin(((corners - corners.min(axis=0)) ** 2).sum(axis=1)))
    sign = [-1 if turn else 1 for turn in turns[nearest]]
    best = max(
        permutations(range(3)),
        key=lambda to: sum(float(matrix[to[axis], axis]) * sign[axis] for axis in range(3)),
    )
    order = [best.index(axis) for axis in range(3)]
    moved = np.zeros((3, 4), dtype=np.float32)
    for axis, source in enumerate(order):
        moved[:, axis] = matrix[:, source] * np.float32(sign[source])
    moved[:, 3] = corners[nearest]
    turned = array.transpose(order)
    for axis, source in enumerate(order):
        if sign[source] < 0:
            turned = np.flip(turned, axis)
    return turned, moved


def _corner(matrix: NDArray[np.float32], at: NDArray[np.float32]) -> NDArray[np.float32]:
    corner: NDArray[np.float32] = (
        (matrix[:, 0] * at[0] + matrix[:, 1] * at[1]) + matrix[:, 2] * at[2]
    ) + matrix[:, 3]
    return corner


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
