"""Images and masks as browsers get them: at the right place in the patient, whatever the acquisition."""

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from bedside.dicom.create import SeriesSpec, write_series
from bedside.dicom.results import write_results
from bedside.dicom.scan import scan
from bedside.dicom.volume import read_volume
from bedside.errors import InputRejected, NotFound
from bedside.viewing import build as building
from bedside.viewing.build import build
from bedside.viewing.grid import Grid, levels_of
from bedside.viewing.images import Prepared
from bedside.viewing.nifti import nifti_header
from results_samples import (
    LARGE_CENTRE,
    LARGE_HU,
    REQUEST,
    SMALL_CENTRE,
    SMALL_HU,
    Case,
    acquisitions,
    grid,
    make_case,
)


def prepare(case: Case, folder: Path) -> Prepared:
    write_results(
        folder / "result",
        request=replace(REQUEST, outputs=("seg",)),
        series=case.series,
        volume=case.volume,
        output=case.output,
    )
    (folder / "images").mkdir()
    made = build(case.series, [folder / "result" / "dicom" / "seg.dcm"], folder / "images")
    return Prepared(folder / "images", made)


def whole(prepared: Prepared, level: int) -> tuple[NDArray[np.int16], list[NDArray[np.uint8]]]:
    """Put a level together as a browser does."""
    chosen = prepared.grid.levels[level]
    images, maps = [], [[] for _ in range(prepared.grid.maps)]
    for number in range(chosen.slabs):
        planes = min(chosen.slab, chosen.shape[0] - number * chosen.slab)
        voxels = planes * chosen.shape[1] * chosen.shape[2]
        data = prepared.slab(level, number)
        assert len(data) == voxels * (2 + prepared.grid.maps)
        images.append(np.frombuffer(data, "<i2", voxels).reshape(planes, *chosen.shape[1:]))
        for n, one in enumerate(maps):
            one.append(np.frombuffer(data, "u1", voxels, voxels * (2 + n)).reshape(planes, *chosen.shape[1:]))
    return np.concatenate(images), [np.concatenate(one) for one in maps]


def centre_mm(mask: NDArray[np.bool_], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    return affine[:3, :3] @ np.argwhere(mask).mean(axis=0) + affine[:3, 3]


@pytest.mark.parametrize("acquisition", list(acquisitions()))
def test_solids_lie_where_they_are_in_the_patient(acquisition: str, tmp_path: Path) -> None:
    case = make_case(tmp_path / "series", acquisition)
    prepared = prepare(case, tmp_path)
    made = prepared.grid
    images, (labels,) = whole(prepared, len(made.levels) - 1)
    affine = np.array(made.affine)
    tolerance = max(made.spacing_mm) / 2
    np.testing.assert_allclose(centre_mm(images == LARGE_HU, affine), LARGE_CENTRE, atol=tolerance)
    np.testing.assert_allclose(centre_mm(images == SMALL_HU, affine), SMALL_CENTRE, atol=tolerance)
    np.testing.assert_array_equal(labels == 1, images == LARGE_HU)
    np.testing.assert_array_equal(labels == 2, images == SMALL_HU)
    # To the head, to the back, to the left: the order in which people look.
    for axis, direction in enumerate(np.eye(3)[::-1]):
        column = affine[:3, axis]
        assert column @ direction / np.linalg.norm(column) > 0.8
        assert [pair[1][0] for pair in made.letters] == ["H", "P", "L"]
        assert [pair[0][0] for pair in made.letters] == ["F", "A", "R"]
    first = made.labels[0]
    assert first.centre is not None
    assert labels[tuple(round(at) for at in first.centre)] == 1
    assert Grid.from_json(made.to_json()) == made


def test_only_an_oblique_series_has_letters_of_two_directions(tmp_path: Path) -> None:
    straight = prepare(make_case(tmp_path / "a" / "series"), tmp_path / "a").grid
    assert straight.letters == (("F", "H"), ("A", "P"), ("R", "L"))
    oblique = prepare(make_case(tmp_path / "b" / "series", "oblique"), tmp_path / "b").grid
    assert {len(letter) for pair in oblique.letters for letter in pair} & {2, 3}


@pytest.mark.parametrize("acquisition", ["axial", "sagittal", "oblique"])
def test_every_level_shows_the_voxels_of_the_full_one_at_their_places(
    acquisition: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedside.viewing.grid.COARSE_VOXELS", 5000)
    monkeypatch.setattr("bedside.viewing.grid.SLAB_VOXELS", 20_000)
    prepared = prepare(make_case(tmp_path / "series", acquisition), tmp_path)
    levels = prepared.grid.levels
    assert len(levels) > 2 and levels[-1].stride == (1, 1, 1) and levels[-1].slabs > 1
    full, (labels,) = whole(prepared, len(levels) - 1)
    for number, level in enumerate(levels):
        thinned = tuple(slice(None, None, by) for by in level.stride)
        images, (thin,) = whole(prepared, number)
        np.testing.assert_array_equal(images, full[thinned])
        np.testing.assert_array_equal(thin, labels[thinned])
    for axis in range(3):
        plane = prepared.plane(axis, 7)
        expected = full.take(7, axis=axis)
        np.testing.assert_array_equal(
            np.frombuffer(plane, "<i2", expected.size).reshape(expected.shape), expected
        )
    for wrong in ((len(levels), 0), (0, levels[0].slabs), (-1, 0), (0, -1)):
        with pytest.raises(NotFound):
            prepared.slab(*wrong)
    with pytest.raises(NotFound):
        prepared.plane(1, prepared.grid.shape[1])


def test_a_level_is_a_nifti_file_at_the_same_places_in_ras(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedside.viewing.grid.COARSE_VOXELS", 40_000)
    prepared = prepare(make_case(tmp_path / "series", "oblique"), tmp_path)
    level = prepared.grid.levels[0]
    assert level.stride != (1, 1, 1)
    images, (labels,) = whole(prepared, 0)
    for dtype, data, value in (("int16", images, LARGE_HU), ("uint8", labels, 1)):
        file = tmp_path / f"{dtype}.nii"
        file.write_bytes(nifti_header(prepared.grid, level, dtype) + data.tobytes())
        read = nibabel.load(file)
        found = np.asarray(read.dataobj) == value
        np.testing.assert_array_equal(found, data.transpose() == value)
        where = read.affine[:3, :3] @ np.argwhere(found).mean(axis=0) + read.affine[:3, 3]
        np.testing.assert_allclose(where * [-1, -1, 1], LARGE_CENTRE, atol=4)
        np.testing.assert_allclose(
            read.header.get_zooms(), np.linalg.norm(read.affine[:3, :3], axis=0), rtol=1e-5
        )


def test_real_values_come_back_by_slope_and_intercept(tmp_path: Path) -> None:
    affine = grid(
        (20, 24, 24), step=np.array([0, 0, 2.0]), down=np.array([0, 2.0, 0]), along=np.array([2.0, 0, 0])
    )
    stored = np.random.default_rng(3).integers(0, 4000, (20, 24, 24)).astype(np.int16)
    spec = SeriesSpec(
        seed="real", modality="MR", attributes={"RescaleSlope": "0.37", "RescaleIntercept": "-3.5"}
    )
    (series,) = scan(write_series(tmp_path / "series", stored, affine, spec=spec)).series
    volume = read_volume(series)
    assert volume.array.dtype == np.float32
    (tmp_path / "images").mkdir()
    prepared = Prepared(tmp_path / "images", build(series, [], tmp_path / "images"))
    images, _ = whole(prepared, 0)
    values = images * prepared.grid.slope + prepared.grid.intercept
    np.testing.assert_allclose(values, volume.array, atol=prepared.grid.slope)
    assert prepared.grid.unit == "" and prepared.grid.labels == ()


def test_what_is_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_case(tmp_path / "series")
    monkeypatch.setattr(building, "MOST_VOXELS", case.volume.array.size - 1)
    monkeypatch.setattr(building, "read_volume", lambda series: pytest.fail("it was read"))
    with pytest.raises(InputRejected, match=r"44 × 72 × 80 voxels, at most"):
        build(case.series, [], tmp_path)


def test_levels_halve_the_finest_axes_first_and_end_small() -> None:
    levels = levels_of((100, 512, 512), (5.0, 0.8, 0.8))
    assert [level.stride for level in levels] == [(1, 4, 4), (1, 2, 2), (1, 1, 1)]
    big = levels_of((1000, 512, 512), (0.7, 0.7, 0.7))
    assert big[0].shape[0] * big[0].shape[1] * big[0].shape[2] <= 2 * 2**20
    assert big[-1].shape == (1000, 512, 512)
    assert [level.stride for level in levels_of((3, 40, 40), (1.0, 1.0, 1.0))] == [(1, 1, 1)]
