"""Other masks over images that were prepared before: the same voxels as if all were read anew."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bedside.dicom.results import write_results
from bedside.viewing import build as building
from bedside.viewing.build import IMAGES, build, labels_file, repaint
from bedside.viewing.shelf import Shelf
from results_samples import REQUEST, acquisitions, make_case
from viewer_seg import as_a_viewer_sends


def halved(mask: NDArray[np.bool_], frame: int, _segment: int) -> NDArray[np.bool_]:
    """Take a corner away from every mask, and every third frame whole: pieces with nothing between."""
    kept = mask.copy()
    kept[: len(kept) // 2, : kept.shape[1] // 2] = False
    return kept & (frame % 3 != 1)


@pytest.mark.parametrize("acquisition", list(acquisitions()))
def test_a_correction_is_drawn_at_the_places_that_reading_the_study_again_would_give(
    acquisition: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_case(tmp_path / "series", acquisition)
    request = replace(REQUEST, outputs=("seg",))
    write_results(
        tmp_path / "result", request=request, series=case.series, volume=case.volume, output=case.output
    )
    model = tmp_path / "result" / "dicom" / "seg.dcm"
    corrected = as_a_viewer_sends(model, tmp_path / "sent.dcm", edit=halved)
    for name in ("model", "anew", "again"):
        (tmp_path / name).mkdir()
    first = build(case.series, [model], tmp_path / "model")
    anew = build(case.series, [corrected], tmp_path / "anew")
    monkeypatch.setattr(building, "read_volume", lambda series: pytest.fail("it was read again"))
    again = repaint(tmp_path / "model", first, [corrected], tmp_path / "again")
    assert again == anew != first
    for name in (IMAGES, labels_file(0)):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "anew" / name).read_bytes()
    assert (tmp_path / "again" / labels_file(0)).read_bytes() != (
        tmp_path / "model" / labels_file(0)
    ).read_bytes()
    assert (tmp_path / "again" / IMAGES).stat().st_nlink == 2, "they are on the disk once"


def test_images_that_two_versions_share_count_once_and_stay_when_one_goes(tmp_path: Path) -> None:
    case = make_case(tmp_path / "series")
    voxels = case.volume.array.size
    shelf = Shelf(folder=tmp_path / "viewing", limit_bytes=5 * voxels, known=lambda: {"default"})
    with shelf.put("default", "ab12") as folder:
        build(case.series, [], folder)
    assert shelf.kin("default", "ab13") is None
    kin = shelf.kin("default", "ab12")
    assert kin is not None
    with shelf.put("default", "ab12-34") as folder:
        repaint(*kin, [], folder)
    # Two label maps and the images, once: 4 bytes a voxel, and 6 if they were counted twice.
    assert shelf.tidy() == 0
    assert shelf.find("default", "ab12") is not None and shelf.find("default", "ab12-34") is not None
    small = Shelf(folder=shelf.folder, limit_bytes=3 * voxels, known=shelf.known)
    assert small.tidy() == 1
    left = small.kin("default", "ab12")
    assert left is not None and (left[0] / IMAGES).stat().st_size == 2 * voxels
