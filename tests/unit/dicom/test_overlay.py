"""Masks of a SEG on the grid of the images: by the SEG's own geometry, whatever the acquisition."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from bedside.dicom.overlay import paint
from bedside.dicom.results import write_results
from bedside.domain.volume import Segmentation, Volume
from bedside.errors import InputRejected
from results_samples import LABELS, REQUEST, Case, acquisitions, make_case


def seg_of(case: Case, folder: Path) -> Path:
    write_results(
        folder,
        request=replace(REQUEST, outputs=("seg",)),
        series=case.series,
        volume=case.volume,
        output=case.output,
    )
    return folder / "dicom" / "seg.dcm"


def shape_of(volume: Volume) -> tuple[int, int, int]:
    slices, rows, columns = volume.array.shape
    return slices, rows, columns


@pytest.mark.parametrize("acquisition", list(acquisitions()))
def test_masks_lie_where_the_model_found_them(acquisition: str, tmp_path: Path) -> None:
    case = make_case(tmp_path / "series", acquisition)
    seg = seg_of(case, tmp_path / "result")
    overlay = paint([seg], shape=shape_of(case.volume), affine=case.volume.affine)
    assert case.output.segmentation is not None
    assert len(overlay.maps) == 1
    np.testing.assert_array_equal(overlay.maps[0], case.output.segmentation.array)
    assert [segment.name for segment in overlay.segments] == [label.name for label in LABELS]
    for segment, label in zip(overlay.segments, LABELS, strict=True):
        assert segment.colour == pytest.approx(label.colour, abs=2)
    third = overlay.segments[2]
    assert (third.voxels, third.centre) == (0, None)
    first = overlay.segments[0].centre
    assert first is not None
    assert overlay.maps[0][tuple(round(at) for at in first)] == 1


def test_a_seg_on_another_grid_is_asked_at_each_voxels_place(tmp_path: Path) -> None:
    case = make_case(tmp_path / "series")
    seg = seg_of(case, tmp_path / "result")
    # Every second slice of the same volume, turned about: another grid, the same places.
    affine = case.volume.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (case.volume.array.shape[0] - 1)
    affine[:3, 0] *= -2
    shape = (22, *case.volume.array.shape[1:])
    # In-plane the grids agree and slices fall on slices, so nothing is lost by asking for the nearest.
    overlay = paint([seg], shape=(shape[0], shape[1] - 3, shape[2]), affine=affine)
    assert case.output.segmentation is not None
    expected = case.output.segmentation.array[::-2, :-3]
    np.testing.assert_array_equal(overlay.maps[0], expected[: shape[0]])


def test_segments_over_one_another_go_to_maps_of_their_own(tmp_path: Path) -> None:
    case = make_case(tmp_path / "series")
    assert case.output.segmentation is not None
    found = case.output.segmentation.array
    masks = np.stack([found == 1, found >= 1, np.zeros_like(found)]).astype(np.uint8)
    segmentation = Segmentation(array=masks, affine=case.volume.affine, labels=LABELS)
    both = replace(case, output=replace(case.output, segmentation=segmentation))
    overlay = paint(
        [seg_of(both, tmp_path / "result")], shape=shape_of(case.volume), affine=case.volume.affine
    )
    assert [segment.map for segment in overlay.segments] == [0, 1, 0]
    np.testing.assert_array_equal(overlay.maps[0] == 1, found == 1)
    np.testing.assert_array_equal(overlay.maps[1] == 2, found >= 1)


def test_what_is_no_segmentation_is_refused(tmp_path: Path) -> None:
    case = make_case(tmp_path / "series")
    with pytest.raises(InputRejected, match="cannot be read"):
        paint([case.paths[0]], shape=shape_of(case.volume), affine=case.volume.affine)
    broken = tmp_path / "broken.dcm"
    dataset = pydicom.dcmread(seg_of(case, tmp_path / "result"))
    dataset.PixelData = dataset.PixelData[:100]
    dataset.save_as(broken)
    with pytest.raises(InputRejected, match="cannot be read"):
        paint([broken], shape=shape_of(case.volume), affine=case.volume.affine)
