"""Attributes come as values that expressions compare; expressions are checked against the dictionary."""

from pathlib import Path

import pytest
from pydicom.uid import BasicTextSRStorage

from bedside.dicom.attributes import check_expression, series_attributes
from bedside.dicom.scan import scan
from bedside.domain.expression import parse
from bedside.errors import ConfigError
from dicom_samples import assign, change, ramp, series


def test_values_by_vr(tmp_path: Path) -> None:
    paths = series(tmp_path, SeriesDescription="  Abdomen ven. ", AccessionNumber="")
    values = scan(paths).series[0].attributes
    assert values["Modality"] == "CT"
    assert values["SeriesDescription"] == "Abdomen ven."
    assert values["ImageType"] == ("ORIGINAL", "PRIMARY", "AXIAL")
    assert values["SliceThickness"] == 2.5
    assert isinstance(values["Rows"], int)
    assert values["PixelSpacing"] == (0.7, 0.8)
    assert values["NumberOfSeriesRelatedInstances"] == 6
    assert values["PatientName"] == "PHANTOM^SYNTHETIC"
    assert "AccessionNumber" not in values
    assert "PixelData" not in values


def test_a_malformed_value_is_a_missing_one(tmp_path: Path) -> None:
    (path,) = series(tmp_path, array=ramp((1, 4, 4)))
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"\x18\x00\x60\x00DS") + 8] = ord("x")  # the first digit of KVP
    path.write_bytes(raw)
    values = scan([path]).series[0].attributes
    assert "KVP" not in values
    assert values["Modality"] == "CT"


def test_rules_and_selection_see_the_same(tmp_path: Path) -> None:
    paths = series(tmp_path)
    for k, path in enumerate(paths):
        assign(path, InstanceNumber=50 - k)
    (found,) = scan(paths).series
    assert series_attributes(paths[::-1])[found.uid] == found.attributes


def test_rules_see_series_that_are_no_images(tmp_path: Path) -> None:
    (path,) = series(tmp_path, array=ramp((1, 4, 4)))
    change(path, lambda d: (setattr(d, "SOPClassUID", BasicTextSRStorage), setattr(d, "Modality", "SR")))
    (tmp_path / "x").write_text("not DICOM at all, a sentence")
    (values,) = series_attributes(tmp_path.iterdir()).values()
    assert values["Modality"] == "SR"


@pytest.mark.parametrize(
    "source",
    [
        "Modality == 'CT' and SliceThickness <= 3",
        "ImageType contains 'AXIAL'",
        "NumberOfSeriesRelatedInstances >= 20",
        "SeriesDescription matches 'ven' or exists ContrastBolusAgent",
        "StudyDate >= '20260101'",
        "SmallestImagePixelValue > 0",
    ],
)
def test_good_expressions_pass(source: str) -> None:
    check_expression(parse(source))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("Modalty == 'CT'", "did you mean 'Modality'"),
        ("SliceThickness == 'thin'", "is a number, 'thin' is text"),
        ("Modality == 3", "is text, 3 is a number"),
        ("SliceThickness matches '3'", "is a number"),
        ("exists PixelData", "holds nothing to compare"),
        ("exists ReferencedImageSequence", "holds nothing to compare"),
    ],
)
def test_bad_expressions_are_refused(source: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        check_expression(parse(source))
