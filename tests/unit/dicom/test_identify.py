"""Of each file: whose instance it is, or None, without reading its pixels."""

from pathlib import Path

import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from bedside.dicom.identify import identify
from bedside.errors import Unavailable
from dicom_samples import rewritten, series

FILES = Path(pydicom.__file__).parent / "data" / "test_files"


@pytest.mark.parametrize(
    "syntax", [None, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]
)
def test_uids_of_an_instance(tmp_path: Path, syntax: pydicom.uid.UID | None) -> None:
    path = series(tmp_path)[1]
    dataset = pydicom.dcmread(path)
    if syntax:
        rewritten(path, syntax, path)
    found = identify(path)
    assert found is not None
    assert (found.sop_instance_uid, found.study_uid, found.series_uid) == (
        dataset.SOPInstanceUID,
        dataset.StudyInstanceUID,
        dataset.SeriesInstanceUID,
    )
    assert found.transfer_syntax_uid == (syntax or "1.2.840.10008.1.2.1")


def test_a_cut_file_is_still_of_its_study(tmp_path: Path) -> None:
    path = series(tmp_path)[1]
    path.write_bytes(path.read_bytes()[:-100])
    assert identify(path) is not None


@pytest.mark.parametrize(
    "name", ["dicomdirtests/DICOMDIR", "README.txt", "zipMR.gz", "crayons.icc", "test1.json"]
)
def test_other_files_are_none(name: str) -> None:
    assert identify(FILES / name) is None


def test_agrees_with_pydicom_on_its_own_files() -> None:
    checked = 0
    for path in sorted(FILES.rglob("*")):
        found = identify(path) if path.is_file() else None
        if found:
            dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
            assert found.sop_instance_uid == dataset.SOPInstanceUID
            assert found.study_uid == dataset.StudyInstanceUID
            checked += 1
    assert checked > 100


def test_a_missing_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        identify(tmp_path / "gone")
