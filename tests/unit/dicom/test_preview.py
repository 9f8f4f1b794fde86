"""The preview: planes turned as a radiologist expects, true proportions, small, and nobody's name."""

from dataclasses import replace
from io import BytesIO
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bedside.dicom import preview
from bedside.dicom.masks import cut_masks
from bedside.dicom.measure import Measurement, measure
from bedside.domain.codes import label_for
from bedside.domain.volume import Segmentation, Volume
from results_samples import acquisitions, make_case


def volume_of(array: NDArray[np.int16], affine: NDArray[np.float64], modality: str = "CT") -> Volume:
    return Volume(
        array=array,
        affine=affine,
        modality=modality,
        body_part="",
        frame_of_reference_uid="2.25.1",
        series_uid="2.25.2",
        source_spacing_mm=(1.0, 1.0, 1.0),
    )


def measurements_of(volume: Volume, found: NDArray[np.uint8], names: tuple[str, ...]) -> list[Measurement]:
    labels = tuple(label_for(name, value) for value, name in enumerate(names, start=1))
    masks = cut_masks(Segmentation(array=found, affine=volume.affine, labels=labels))
    return [measure(mask, volume) for mask in masks]


def opened(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("RGB")


def turned_affines() -> list[NDArray[np.float64]]:
    """Every way of laying array axes along patient axes: 48 of them."""
    affines = []
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            affine = np.eye(4)
            affine[:3, :3] = 0
            for axis, (way, sign) in enumerate(zip(order, signs, strict=True)):
                affine[way, axis] = sign
            affines.append(affine)
    return affines


@pytest.mark.parametrize("affine", turned_affines(), ids=str)
def test_every_orientation_is_turned_the_same_way(affine: NDArray[np.float64]) -> None:
    """A body that grows brighter to the left, darker to the back and has a mark at its head."""
    size = 9
    index = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), axis=-1)
    centre = (size - 1) / 2
    place = (index - centre) @ affine[:3, :3].T  # left, posterior, head of every voxel
    values = (100 * place[..., 0] + 10 * place[..., 1] + place[..., 2]).astype(np.int16)
    volume = volume_of(values, affine)
    axes = preview.anatomical(affine)
    panels = [preview._cut(volume, [], axes, (4, 4, 4), plane) for plane in preview._PLANES]
    step = np.arange(size) - 4.0
    down, along = step[:, np.newaxis], step[np.newaxis]
    assert np.array_equal(panels[0].values, 100 * along + 10 * down)  # axial: left right, posterior down
    assert np.array_equal(panels[1].values, 100 * along - down)  # coronal: left right, head up
    assert np.array_equal(panels[2].values, 10 * along - down)  # sagittal: posterior right, head up
    assert [panel.edges for panel in panels] == [
        ("R", "L", "A", "P"),
        ("R", "L", "H", "F"),
        ("A", "P", "H", "F"),
    ]


def test_proportions_are_the_patients() -> None:
    affine = np.array([[0, 0, 1.0, 0], [0, 1.0, 0, 0], [4.0, 0, 0, 0], [0, 0, 0, 1]])
    volume = volume_of(np.zeros((10, 30, 20), dtype=np.int16), affine)
    axes = preview.anatomical(affine)
    sizes = [preview._cut(volume, [], axes, (5, 5, 5), plane).size_mm for plane in preview._PLANES]
    assert sizes == [(30, 20), (40, 20), (40, 30)]


@pytest.mark.parametrize("acquisition", list(acquisitions()))
def test_the_masks_colour_shows_where_the_mask_is(acquisition: str, tmp_path: Path) -> None:
    case = make_case(tmp_path, acquisition)
    assert case.output.segmentation is not None
    measured = [measure(mask, case.volume) for mask in cut_masks(case.output.segmentation)]
    png = preview.make_preview(case.volume, measured, title="organs 1")
    assert png == preview.make_preview(case.volume, measured, title="organs 1")
    assert len(png) < preview.MAX_BYTES
    pixels = np.asarray(opened(png)).astype(int)
    assert (np.ptp(pixels, axis=2) > 20).sum() > 500  # grey has no colour


def test_the_larger_mask_is_crossed_and_the_smaller_one_drawn_above_it() -> None:
    found = np.zeros((20, 40, 40), dtype=np.uint8)
    found[5:15, 10:30, 10:30] = 2
    found[9:11, 18:22, 18:22] = 1
    volume = volume_of(np.zeros(found.shape, dtype=np.int16), np.eye(4)[[2, 1, 0, 3]])
    measured = measurements_of(volume, found, ("tumour", "liver"))
    crossing = preview._crossing(volume, measured)
    assert crossing == (10, 20, 20)
    panel = preview._cut(volume, measured, preview.anatomical(volume.affine), crossing, preview._PLANES[0])
    assert set(np.unique(panel.numbers)) == {0, 1, 2}


def test_nothing_found_still_gives_a_picture() -> None:
    found = np.zeros((6, 40, 50), dtype=np.uint8)
    volume = volume_of(np.zeros(found.shape, dtype=np.int16), np.eye(4)[[2, 1, 0, 3]])
    measured = measurements_of(volume, found, ("liver",))
    assert preview._crossing(volume, measured) == (3, 20, 25)
    assert opened(preview.make_preview(volume, measured, title="x")).width > 900
    assert opened(preview.make_preview(volume, [], title="numbers only")).width > 900


def test_windows_suit_what_is_shown() -> None:
    found = np.ones((6, 10, 10), dtype=np.uint8)
    affine = np.eye(4)[[2, 1, 0, 3]]
    lung = volume_of(np.full(found.shape, -850, dtype=np.int16), affine)
    assert preview._window(lung, measurements_of(lung, found, ("lung",)), []) == preview._LUNG
    liver = volume_of(np.full(found.shape, 50, dtype=np.int16), affine)
    assert preview._window(liver, measurements_of(liver, found, ("liver",)), []) == preview._SOFT_TISSUE
    flat = replace(liver, modality="MR", array=np.zeros(found.shape, dtype=np.float32))
    assert opened(preview.make_preview(flat, [], title="flat")).width > 900


def test_noise_of_any_size_stays_small() -> None:
    noise = np.random.default_rng(0).integers(-1000, 1000, (60, 400, 400)).astype(np.int16)
    volume = volume_of(noise, np.diag([5.0, 1.0, 1.0, 1.0])[[2, 1, 0, 3]])
    assert len(preview.make_preview(volume, [], title="noise")) <= preview.MAX_BYTES


def test_many_labels_with_any_names_fit() -> None:
    found = np.arange(6 * 40 * 50, dtype=np.int64).reshape(6, 40, 50) % 30
    volume = volume_of(np.zeros(found.shape, dtype=np.int16), np.eye(4)[[2, 1, 0, 3]])
    names = tuple(f"脾臓 {'very long ' * 9}{number}" for number in range(29))
    measured = measurements_of(volume, found.astype(np.uint8), names)
    assert opened(preview.make_preview(volume, measured, title="t" * 300)).width > 900
