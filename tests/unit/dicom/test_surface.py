"""Surfaces: closed, manifold, wound outward, of the right size, whatever the mask and the affine."""

import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from bedside.dicom.masks import cut_masks
from bedside.dicom.surface import make_surface
from bedside.domain.codes import label_for
from bedside.domain.volume import Segmentation


def surface(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> tuple[bytes, NDArray[np.float64]]:
    """Return the STL and its corners, (n, 3, 3)."""
    found = Segmentation(array=mask.astype(np.uint8), affine=affine, labels=(label_for("spleen", 1),))
    stl = make_surface(cut_masks(found)[0], affine)
    (count,) = struct.unpack_from("<I", stl, 80)
    assert len(stl) == 84 + 50 * count
    kind = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    faces = np.frombuffer(stl, dtype=kind, offset=84)
    corners = faces["corners"].astype(np.float64)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    assert np.abs(across - faces["normal"]).max() < 1e-2
    return stl, corners


def signed_volume(corners: NDArray[np.float64]) -> float:
    a, b, c = np.moveaxis(corners, 1, 0)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def edges(corners: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how often each edge occurs, without and with its direction."""
    _, index = np.unique(corners.reshape(-1, 3), axis=0, return_inverse=True)
    index = index.reshape(-1, 3)
    assert (index[:, [0, 1, 2]] != index[:, [1, 2, 0]]).all(), "a triangle without area"
    directed = np.concatenate([index[:, [0, 1]], index[:, [1, 2]], index[:, [2, 0]]])
    _, either = np.unique(np.sort(directed, axis=1), axis=0, return_counts=True)
    _, one_way = np.unique(directed, axis=0, return_counts=True)
    return either, one_way


def ball(radius: float = 9.0) -> NDArray[np.bool_]:
    k, i, j = np.ogrid[:24, :25, :26]
    inside: NDArray[np.bool_] = (k - 11) ** 2 + (i - 12) ** 2 + (j - 13) ** 2 <= radius**2
    return inside


@pytest.mark.parametrize("filled", [0.05, 0.3, 0.5, 0.7, 0.95])
def test_the_ugliest_masks_give_closed_manifold_surfaces(filled: float) -> None:
    mask = np.random.default_rng(5).random((12, 13, 14)) < filled
    _, corners = surface(mask, np.diag([2.5, 0.8, 0.7, 1.0]))
    either, one_way = edges(corners)
    assert set(either) == {2}
    assert set(one_way) == {1}


@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (-1, -1, 1), (-1, -1, -1)])
def test_winding_is_outward_for_either_handedness(flip: tuple[int, int, int]) -> None:
    affine = np.diag([2.5 * flip[0], 0.8 * flip[1], 0.7 * flip[2], 1.0])
    mask = ball()
    _, corners = surface(mask, affine)
    assert signed_volume(corners) == pytest.approx(mask.sum() * 2.5 * 0.8 * 0.7, rel=0.01)


def test_a_mask_that_fills_the_volume_is_closed_at_its_edges() -> None:
    _, corners = surface(np.ones((3, 4, 5), dtype=bool), np.eye(4))
    assert set(edges(corners)[0]) == {2}
    assert np.allclose(corners.reshape(-1, 3).min(axis=0), -0.5, atol=1e-3)
    assert np.allclose(corners.reshape(-1, 3).max(axis=0), (2.5, 3.5, 4.5), atol=1e-3)


def test_one_voxel_is_enough() -> None:
    mask = np.zeros((5, 5, 5), dtype=bool)
    mask[2, 3, 4] = True
    _, corners = surface(mask, np.eye(4))
    assert np.allclose(corners.reshape(-1, 3).mean(axis=0), (2, 3, 4))


def test_the_header_names_the_space_and_the_bytes_do_not_change() -> None:
    stl, _ = surface(ball(), np.eye(4))
    assert not stl.startswith(b"solid")
    assert b"SPACE=LPS" in stl[:80]
    assert stl == surface(ball(), np.eye(4))[0]
