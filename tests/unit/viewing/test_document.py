"""What is taken from a ``result.json``, whoever wrote it."""

import pytest

from bedside.domain.acceptance import Fit
from bedside.viewing.document import document_of
from bedside.viewing.subject import person_name


def test_a_strangers_document_has_gaps_and_no_errors() -> None:
    odd = {
        "release": None,
        "files": [{"path": "out/a.dcm", "size_bytes": "many"}, "no object", {}],
        "measurements": {"not": "a list"},
        "numbers": {"score": float("nan"), "other": True, "third": 2},
        "timings_s": {"run": {"forward": 1.5, "said": "long"}, "x": 3},
        "inputs": {"sop_instance_uids": "1.2.3"},
        "compute": [],
        "gpu_s": None,
    }
    document = document_of(odd)
    assert [(file.path, file.size_bytes) for file in document.files] == [("out/a.dcm", 0)]
    assert document.numbers == {"score": None, "other": None, "third": 2.0}
    assert [(stage.name, dict(stage.steps)) for stage in document.stages] == [("run", {"forward": 1.5})]
    assert (document.usd, document.gpu_s, document.sop_instance_uids) == (None, 0.0, [])
    assert document_of({}).release_name == ""


def test_what_an_earlier_stage_read_counts_where_the_last_one_says_nothing() -> None:
    inputs = {"series_uid": "1.2", "sop_instance_uids": ["1.2.3"]}
    document = document_of({"stages": [{"report": {"inputs": inputs}}, {"report": {}}]})
    assert (document.series_uid, document.sop_instance_uids) == ("1.2", ["1.2.3"])


def test_what_decided_about_a_series_is_known_where_it_was_written() -> None:
    written = [{"uid": "1", "taken": True, "fit": "model"}, {"uid": "2"}, {"uid": "3", "fit": "odd"}]
    assert [one.fit for one in document_of({"series": written}).series] == [Fit.MODEL, None, None]


def test_reasons_for_files_left_aside_are_counted() -> None:
    left = [{"reason": "not a DICOM file"}, {"reason": "not a DICOM file"}, {"reason": "a localizer"}]
    assert document_of({"left_aside": left}).left_aside == {"not a DICOM file": 2, "a localizer": 1}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Doe^Jane", "Jane Doe"),
        ("Doe^Jane^Q^Dr^Jr", "Dr Jane Q Doe, Jr"),
        ("Yamada^Tarou=山田^太郎", "Tarou Yamada"),
        ("", ""),
        ("DOE", "DOE"),
    ],
)
def test_names_are_written_as_people_do(written: str, shown: str) -> None:
    assert person_name(written) == shown
