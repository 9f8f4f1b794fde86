"""One series is chosen with reasons for all, or none is, and nothing is guessed."""

from pathlib import Path

import pytest

from bedside.dicom.geometry import MissingSlice
from bedside.dicom.scan import scan
from bedside.dicom.select import NoSeries, SeveralSeries, choose
from bedside.domain.acceptance import Acceptance, Fit
from bedside.domain.expression import parse
from bedside.errors import InputRejected
from dicom_samples import AXIAL, ramp, series

ANY = Acceptance()
CT = Acceptance(modalities=frozenset({"CT"}))


def test_the_only_series_that_fits_is_taken_and_the_others_have_reasons(tmp_path: Path) -> None:
    series(tmp_path / "ct", number=1)
    series(tmp_path / "mr", number=2, modality="MR", array=ramp(low=0))
    series(tmp_path / "scout", number=3, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    choice = choose(scan([tmp_path]), select=None, acceptance=CT)
    assert choice.series.modality == "CT"
    assert sorted((d.taken, d.reason, d.fit) for d in choice.decisions) == [
        (False, "a localizer (Image Type)", Fit.LOCALIZER),
        (False, "modality MR is not what the model reads (CT)", Fit.REFUSED),
        (True, "it fits the model", Fit.MODEL),
    ]


def test_several_that_fit_are_refused_with_a_way_out(tmp_path: Path) -> None:
    series(tmp_path / "a", number=1, ConvolutionKernel="SOFT")
    series(tmp_path / "b", number=2, ConvolutionKernel="BONE")
    with pytest.raises(SeveralSeries, match="2 of 2 series fit") as caught:
        choose(scan([tmp_path]), select=None, acceptance=CT)
    assert "ConvolutionKernel" in caught.value.hint
    written = caught.value.hint.split("'")[1]
    choice = choose(scan([tmp_path]), select=parse(written), acceptance=CT)
    assert sum(d.taken for d in choice.decisions) == 1


def test_the_expression_decides(tmp_path: Path) -> None:
    series(tmp_path / "a", number=1)
    series(tmp_path / "b", number=2)
    choice = choose(scan([tmp_path]), select=parse("SeriesNumber == 2"), acceptance=CT)
    assert choice.series.attributes["SeriesNumber"] == 2
    assert [d.reason for d in choice.decisions if not d.taken] == ["SeriesNumber == 2 is false: it is 1"]
    assert {d.taken: d.fit for d in choice.decisions} == {True: Fit.SELECTED, False: Fit.NOT_SELECTED}


def test_nothing_matches(tmp_path: Path) -> None:
    series(tmp_path)
    with pytest.raises(NoSeries, match=r"none of 1 series fits: .*SeriesNumber == 9 is false: it is 1"):
        choose(scan([tmp_path]), select=parse("SeriesNumber == 9"), acceptance=ANY)


@pytest.mark.parametrize(
    ("acceptance", "words"),
    [
        (Acceptance(modalities=frozenset({"MR"})), "modality CT is not what the model reads"),
        (Acceptance(body_parts=frozenset({"HEAD"})), "body part ABDOMEN"),
        (Acceptance(min_slices=20), "6 slices, the model needs at least 20"),
        (Acceptance(spacing_mm=(0.5, 2.0)), r"slice spacing 2\.500 mm is outside"),
    ],
)
def test_the_input_guard_holds_with_and_without_an_expression(
    tmp_path: Path, acceptance: Acceptance, words: str
) -> None:
    series(tmp_path)
    for select in (None, parse("SeriesNumber == 1")):
        with pytest.raises(InputRejected, match=words):
            choose(scan([tmp_path]), select=select, acceptance=acceptance)


def test_a_lone_slice_is_refused_in_the_singular(tmp_path: Path) -> None:
    series(tmp_path, array=ramp((1, 4, 4)))
    with pytest.raises(NoSeries, match=": 1 slice, the model needs at least 20"):
        choose(scan([tmp_path]), select=None, acceptance=Acceptance(min_slices=20))


def test_the_one_asked_for_is_refused_by_its_own_geometry(tmp_path: Path) -> None:
    paths = series(tmp_path / "a", number=1, array=ramp((8, 4, 4)))
    paths[4].unlink()
    with pytest.raises(MissingSlice, match="1 slice missing"):
        choose(scan([tmp_path]), select=None, acceptance=CT)
    series(tmp_path / "b", number=2, affine=AXIAL)  # another one that fits is taken instead
    choice = choose(scan([tmp_path]), select=None, acceptance=CT)
    assert any("1 slice missing" in d.reason for d in choice.decisions)
    with pytest.raises(MissingSlice, match="SeriesNumber == 1 is false"):
        choose(scan([tmp_path]), select=parse("SeriesNumber == 1"), acceptance=CT)


def test_modality_is_asked_before_geometry(tmp_path: Path) -> None:
    paths = series(tmp_path, modality="MR", array=ramp((8, 4, 4), low=0))
    paths[4].unlink()
    with pytest.raises(NoSeries, match=r"modality MR is not what the model reads \(CT\)$"):
        choose(scan([tmp_path]), select=None, acceptance=CT)


def test_a_study_without_images_says_what_was_there(tmp_path: Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text("not an image, only a sentence")
    with pytest.raises(NoSeries, match="no series of images among 3 files: 3 × not a DICOM file"):
        choose(scan([tmp_path]), select=None, acceptance=ANY)


def test_lossy_input_is_said(tmp_path: Path) -> None:
    series(tmp_path, LossyImageCompression="01")
    choice = choose(scan([tmp_path]), select=None, acceptance=ANY)
    assert choice.decisions[0].reason == "it fits the model; lossy-compressed"
