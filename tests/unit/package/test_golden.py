"""Golden cases: kept and read back whole, and no patient in them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays

from bedside.dicom.create import SeriesSpec, write_series
from bedside.errors import ConfigError, UsageError
from bedside.package.golden import (
    Golden,
    Study,
    golden_entries,
    mask_of,
    read_golden,
    runs_of,
    write_golden,
)

_SHAPE = arrays.array_shapes(min_dims=3, max_dims=3, max_side=6)


@given(arrays.arrays(np.bool_, _SHAPE))
def test_runs_hold_a_mask(mask: np.ndarray) -> None:
    assert (mask_of(runs_of(mask), mask.shape) == mask).all()


@pytest.mark.parametrize("runs", [(23, 2), (0, 25), (4_000_000_000, 4_000_000_000)])
def test_runs_that_leave_their_mask_are_refused(runs: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="leaves the mask"):
        mask_of(np.array(runs, dtype="<u4").tobytes(), (2, 3, 4))


def case() -> Golden:
    mask = np.zeros((3, 4, 5), dtype=np.bool_)
    mask[1, 1:3, 2:4] = True
    document = {
        "format": 1,
        "bundle": {"digest": "sha256:1", "name": "n", "version": "1"},
        "study": {"phantom": {"seed": 1, "modality": "CT", "body_part": "ABDOMEN"}, "digest": "sha256:2"},
        "expected": {
            "shape": [3, 4, 5],
            "labels": [{"name": "spleen", "voxels": 4, "runs": "masks/1.runs"}],
            "sop_instance_uids": ["2.25.1"],
            "numbers": {"volume": 1.5},
        },
    }
    return Golden(document=document, masks={"spleen": mask}, numbers={"volume": 1.5})


def test_a_case_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_golden(case(), tmp_path)
    found = read_golden(tmp_path)
    assert found.document == case().document
    assert (found.masks["spleen"] == case().masks["spleen"]).all()
    assert found.numbers == {"volume": 1.5}
    assert found.sop_instance_uids == ("2.25.1",)
    assert [entry.path for entry in golden_entries(found)] == [
        "opt/bedside/golden/golden.json",
        "opt/bedside/golden/masks/1.runs",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"format": 2}, "format 2"),
        ({"expected": {}}, "cannot be read"),
        ({"study": {"files": ["../../etc/passwd"]}}, "cannot be read"),
    ],
)
def test_a_case_that_is_not_whole_is_refused(
    change: dict[str, object], expected: str, tmp_path: Path
) -> None:
    write_golden(replace(case(), document={**case().document, **change}), tmp_path)
    with pytest.raises(ConfigError, match=expected):
        read_golden(tmp_path)


def test_a_missing_mask_is_named(tmp_path: Path) -> None:
    write_golden(case(), tmp_path)
    (tmp_path / "masks/1.runs").unlink()
    with pytest.raises(ConfigError, match=r"1\.runs is missing"):
        read_golden(tmp_path)


def write_study(folder: Path, **attributes: object) -> Path:
    array = np.zeros((3, 8, 8), dtype=np.int16)
    affine = np.array([[0, 0, 1, 0], [0, 1, 0, 0], [2.0, 0, 0, 0], [0, 0, 0, 1]])
    write_series(folder, array, affine, spec=SeriesSpec(seed="golden", attributes=attributes))
    return folder


def test_a_study_that_may_name_a_patient_does_not_travel(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"not YES in 3 of 3 instances") as refused:
        Study.given(write_study(tmp_path / "named"))
    assert "de-identify" in refused.value.hint
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no DICOM instance"):
        Study.given(tmp_path / "empty")


def test_a_de_identified_study_travels_under_names_that_say_nothing(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "plain", PatientIdentityRemoved="YES")
    (folder / "0001.dcm").rename(folder / "DOE_JANE.dcm")
    written = Study.given(folder).write(tmp_path / "written")
    names = sorted(path.name for path in written.iterdir())
    assert len(names) == 3
    assert all(len(name) == 68 and name.endswith(".dcm") for name in names)
    content = json.dumps(Study.given(folder).to_json(written))
    assert "DOE" not in content


def test_a_phantom_is_the_same_study_each_time(tmp_path: Path) -> None:
    study = Study(seed=5)
    one, two = study.write(tmp_path / "one"), study.write(tmp_path / "two")
    assert study.to_json(one) == study.to_json(two)
