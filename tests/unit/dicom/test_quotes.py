"""What a header says may stand in the wrong place: no reason repeats what could be a patient's name."""

from pathlib import Path

import pydicom
import pytest
from pydicom.dataelem import DataElement

from bedside.dicom.attributes import series_attributes
from bedside.dicom.header import _TAGS
from bedside.dicom.scan import scan
from bedside.dicom.select import choose
from bedside.domain.acceptance import Acceptance
from bedside.errors import InputRejected
from dicom_samples import change, series

NAME = "Meitner^Lise"
CT_ABDOMEN = Acceptance(modalities=frozenset({"CT"}), body_parts=frozenset({"ABDOMEN"}))
PLACES = {name: tag for name, tag in _TAGS.items() if tag > 0x0002FFFF}


def said_of(folder: Path) -> str:
    """Read a study as a worker does, and return everything that is said of it."""
    found = scan([folder])
    texts = [left.reason for left in found.left]
    try:
        choice = choose(found, select=None, acceptance=CT_ABDOMEN)
        texts += [decision.reason for decision in choice.decisions]
        assert choice.series.stack.frames
    except InputRejected as refused:
        texts += [refused.message, refused.hint]
    return "\n".join(texts)


@pytest.mark.parametrize("name", PLACES)
def test_a_name_in_the_place_of_another_value_is_not_repeated(tmp_path: Path, name: str) -> None:
    def misplace(dataset: pydicom.Dataset) -> None:
        dataset[PLACES[name]] = DataElement(PLACES[name], "LO", NAME)

    for path in series(tmp_path, BodyPartExamined="ABDOMEN")[:2]:
        change(path, misplace)
    said = said_of(tmp_path).lower()
    assert said
    assert "meitner" not in said
    assert "lise" not in said
    series_attributes(sorted(tmp_path.iterdir()))


def test_a_name_for_a_transfer_syntax_is_not_repeated(tmp_path: Path) -> None:
    for path in series(tmp_path):
        written = path.read_bytes()
        assert written.count(b"1.2.840.10008.1.2.1\0") == 1
        path.write_bytes(written.replace(b"1.2.840.10008.1.2.1\0", b"Meitner^Lise".ljust(20, b"\0")))
    assert "transfer syntax (no UID) is not read" in said_of(tmp_path)


def test_words_of_the_standard_are_repeated(tmp_path: Path) -> None:
    for path in series(tmp_path / "colour"):
        change(path, lambda dataset: setattr(dataset, "PhotometricInterpretation", "RGB"))
    assert "photometric interpretation RGB" in said_of(tmp_path / "colour")
    series(tmp_path / "head", BodyPartExamined="HEAD")
    assert "body part HEAD is not" in said_of(tmp_path / "head")
