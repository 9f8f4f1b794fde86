"""What is kept as JSON comes back equal, and what JSON cannot hold is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bedside.domain.pipeline import Pipeline, Stage, StageKind
from bedside.domain.serial import (
    failure_from_json,
    failure_to_json,
    files_from_json,
    files_to_json,
    pipeline_from_json,
    pipeline_to_json,
    plain,
)
from bedside.errors import UsageError
from ledger_samples import FAILURE, make_arrival

leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = st.recursive(leaves, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=8)
stages = st.builds(
    Stage,
    name=st.text(),
    kind=st.sampled_from(StageKind),
    pool=st.text(),
    release=st.text(),
    command=st.lists(st.text()).map(tuple),
    settings=st.dictionaries(st.text(), values),
    timeout_s=st.floats(min_value=0, max_value=1e9),
)
pipelines = st.builds(
    Pipeline, name=st.text(), stages=st.lists(stages, min_size=1).map(tuple), max_attempts=st.integers(1, 99)
)


@given(pipelines)
def test_pipelines_come_back_equal_with_the_same_version(pipeline: Pipeline) -> None:
    again = pipeline_from_json(json.loads(json.dumps(pipeline_to_json(pipeline))))
    assert again == pipeline
    assert again.version == pipeline.version


def test_failures_and_files_come_back_equal() -> None:
    assert failure_from_json(failure_to_json(FAILURE)) == FAILURE
    files = make_arrival(1, 2, 3).files
    assert files_from_json(json.loads(json.dumps(files_to_json(files)))) == files


def test_plain_is_what_is_read_back() -> None:
    assert plain({"a": (1, 2), 3: None}, "x") == {"a": [1, 2], "3": None}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), object(), {1, 2}, b"bytes"])
def test_what_json_cannot_hold_is_refused(bad: object) -> None:
    with pytest.raises(UsageError, match="summary: not JSON values"):
        plain({"a": [bad]}, "summary")
