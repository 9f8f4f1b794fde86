"""The whole of a result: what is written, what is listed, and that it is the same every time."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from bedside.dicom.results import write_results
from bedside.domain.codes import label_for
from bedside.domain.volume import ModelOutput
from bedside.errors import UsageError
from results_samples import LABELS, REQUEST, Case, make_case


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make_case(tmp_path_factory.mktemp("study"))


def write(case: Case, folder: Path, *, output: ModelOutput | None = None, **request: object) -> dict:
    return write_results(
        folder,
        request=replace(REQUEST, **request),
        series=case.series,
        volume=case.volume,
        output=output or case.output,
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_file_is_listed_with_its_hash_and_nothing_else_is(case: Case, tmp_path: Path) -> None:
    report = write(case, tmp_path)
    written = contents(tmp_path)
    assert (
        {entry["path"] for entry in report["files"]}
        == set(written)
        == {
            "dicom/seg.dcm",
            "dicom/sr.dcm",
            "surfaces/spleen.stl",
            "surfaces/right_kidney.stl",
            "preview.png",
            "nifti/segmentation.nii.gz",
        }
    )
    for entry in report["files"]:
        data = written[entry["path"]]
        assert entry["sha256"] == hashlib.sha256(data).hexdigest()
        assert entry["size_bytes"] == len(data)
        assert ("sop_instance_uid" in entry) == entry["path"].endswith(".dcm")
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert [item["label"] for item in report["measurements"]] == [label.name for label in LABELS]
    assert set(report["timings_s"]) == {"measure", "seg", "sr", "surface", "preview", "nifti"}


def test_a_retry_writes_the_same_bytes(case: Case, tmp_path: Path) -> None:
    write(case, tmp_path / "one")
    write(case, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_another_job_has_other_uids_and_another_date_other_dates(case: Case, tmp_path: Path) -> None:
    first = write(case, tmp_path / "one")
    other = write(case, tmp_path / "two", job_identity="job-2")
    uids = [
        {entry["sop_instance_uid"] for entry in report["files"] if "sop_instance_uid" in entry}
        for report in (first, other)
    ]
    assert not uids[0] & uids[1]
    later = write(case, tmp_path / "three", content_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert later["files"][0]["sop_instance_uid"] == first["files"][0]["sop_instance_uid"]
    assert later["files"][0]["sha256"] != first["files"][0]["sha256"]


def test_only_what_is_asked_for_is_written(case: Case, tmp_path: Path) -> None:
    write(case, tmp_path, outputs=("preview",))
    assert set(contents(tmp_path)) == {"preview.png"}


def test_an_unknown_output_is_refused(case: Case, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'rtstruct': not one of seg, sr"):
        write(case, tmp_path, outputs=("rtstruct",))


def test_nothing_found_gives_everything_but_surfaces(case: Case, tmp_path: Path) -> None:
    assert case.output.segmentation is not None
    nothing = np.zeros_like(case.output.segmentation.array)
    output = ModelOutput(segmentation=replace(case.output.segmentation, array=nothing))
    report = write(case, tmp_path, output=output)
    assert set(contents(tmp_path)) == {
        "dicom/seg.dcm",
        "dicom/sr.dcm",
        "preview.png",
        "nifti/segmentation.nii.gz",
    }
    assert [item["volume_ml"] for item in report["measurements"]] == [0, 0, 0]


def test_numbers_alone_give_a_report_and_a_picture(case: Case, tmp_path: Path) -> None:
    report = write(case, tmp_path, output=ModelOutput(segmentation=None, numbers={"p": 0.5, "q": np.nan}))
    assert set(contents(tmp_path)) == {"dicom/sr.dcm", "preview.png"}
    assert report["numbers"] == {"p": 0.5, "q": None}


def test_label_names_never_reach_outside_the_folder_or_collide(case: Case, tmp_path: Path) -> None:
    assert case.output.segmentation is not None
    labels = (label_for("../../Left Kidney", 1), label_for("left/kidney", 2), label_for("脾", 3))
    array = case.output.segmentation.array.copy()
    array[0, 0, 0] = 3
    output = ModelOutput(segmentation=replace(case.output.segmentation, array=array, labels=labels))
    write(case, tmp_path / "out", output=output, outputs=("surface",))
    assert set(contents(tmp_path)) == {
        "out/surfaces/left_kidney-1.stl",
        "out/surfaces/left_kidney-2.stl",
        "out/surfaces/label_3.stl",
    }
