"""Measurements of masks whose answers are known."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from bedside.dicom.masks import cut_masks
from bedside.dicom.measure import Measurement, measure
from bedside.domain.codes import label_for
from bedside.domain.volume import Segmentation, Volume

_AFFINE = np.array([[0, 0, 0.8, -100.0], [0, 0.9, 0, 50], [2.5, 0, 0, 7], [0, 0, 0, 1]])


def measured(
    mask: NDArray[np.bool_], *, values: NDArray[np.int16] | None = None, modality: str = "CT"
) -> Measurement:
    array = np.zeros(mask.shape, dtype=np.int16) if values is None else values
    volume = Volume(
        array=array,
        affine=_AFFINE,
        modality=modality,
        body_part="",
        frame_of_reference_uid="2.25.1",
        series_uid="2.25.2",
        source_spacing_mm=(2.5, 0.9, 0.8),
    )
    found = Segmentation(array=mask.astype(np.uint8), affine=_AFFINE, labels=(label_for("spleen", 1),))
    return measure(cut_masks(found)[0], volume)


def test_a_box_has_the_size_and_place_it_was_given() -> None:
    mask = np.zeros((10, 20, 30), dtype=bool)
    mask[2:6, 5:15, 8:28] = True
    found = measured(mask)
    assert found.volume_ml == pytest.approx(4 * 10 * 20 * 2.5 * 0.9 * 0.8 / 1000)
    assert found.centroid_mm == pytest.approx((17.5 * 0.8 - 100, 9.5 * 0.9 + 50, 3.5 * 2.5 + 7))
    assert found.box_mm is not None
    assert found.box_mm[0] == pytest.approx((7.5 * 0.8 - 100, 4.5 * 0.9 + 50, 1.5 * 2.5 + 7))
    assert found.box_mm[1] == pytest.approx((27.5 * 0.8 - 100, 14.5 * 0.9 + 50, 5.5 * 2.5 + 7))


def test_the_diameter_is_that_of_all_surface_points() -> None:
    """Against every pair of cut points of an irregular mask, without a hull."""
    mask = np.random.default_rng(2).random((7, 8, 9)) < 0.2
    padded = np.pad(mask, 1)
    steps = (*np.eye(3, dtype=int), *-np.eye(3, dtype=int))
    points = [
        index - 1 + step / 2
        for index in np.argwhere(padded)
        for step in steps
        if not padded[tuple(index + step)]
    ]
    placed = np.array(points) @ _AFFINE[:3, :3].T
    assert measured(mask).max_diameter_mm == pytest.approx(pdist(placed).max())


def test_intensity_is_of_the_masks_voxels_alone() -> None:
    mask = np.zeros((3, 4, 5), dtype=bool)
    mask[1, 1, 1:4] = True
    values = np.full(mask.shape, 1000, dtype=np.int16)
    values[1, 1, 1:4] = (-30, 0, 90)
    found = measured(mask, values=values)
    assert (found.mean, found.unit.value) == (pytest.approx(20), "[hnsf'U]")
    assert found.deviation == pytest.approx(np.std([-30, 0, 90]))
    assert measured(mask, values=values, modality="MR").unit.value == "1"


def test_nothing_measures_nothing() -> None:
    report = measured(np.zeros((3, 4, 5), dtype=bool)).report()
    assert (report["volume_ml"], report["voxels"], report["max_diameter_mm"]) == (0, 0, 0)
    assert report["centroid_mm"] is report["bounding_box_mm"] is report["mean"] is None
    json.dumps(report, allow_nan=False)


def test_the_report_is_json_with_the_units_in_its_names() -> None:
    report = measured(np.ones((3, 4, 5), dtype=bool)).report()
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["label"] == "spleen"
    assert report["intensity_unit"] == "HU"
    assert report["code"] == {"value": "78961009", "scheme": "SCT", "meaning": "Spleen"}


def test_masks_keep_their_labels_order_and_voxels() -> None:
    array = np.zeros((4, 5, 6), dtype=np.uint16)
    array[1, 2, 3], array[2, 2, 2] = 7, 300
    labels = (label_for("liver", 300), label_for("spleen", 7), label_for("colon", 8), label_for("aorta", 900))
    masks = cut_masks(Segmentation(array=array, affine=np.eye(4), labels=labels))
    assert [(mask.label.name, mask.number, mask.count) for mask in masks] == [
        ("liver", 1, 1),
        ("spleen", 2, 1),
        ("colon", 3, 0),
        ("aorta", 4, 0),
    ]
    assert masks[0].origin == (2, 2, 2)
    assert masks[1].origin == (1, 2, 3)
