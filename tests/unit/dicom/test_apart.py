"""Decoders in processes of their own: one that dies takes nothing with it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bedside.dicom import apart as module
from bedside.dicom.apart import Apart
from bedside.dicom.bulk import value_bytes
from bedside.errors import InputRejected, NotFound, Unavailable
from dicom_samples import ramp, series


@pytest.fixture
def apart() -> Iterator[Apart]:
    made = Apart(1)
    yield made
    made.close()


def test_a_process_that_dies_costs_one_call(apart: Apart, tmp_path: Path) -> None:
    (path,) = series(tmp_path, array=ramp((1, 10, 12)))
    assert len(apart.run(value_bytes, path, "7FE00010")) == 240
    with pytest.raises(InputRejected, match="crashed"):
        apart.run(os.abort)
    assert len(apart.run(value_bytes, path, "7FE00010")) == 240
    with pytest.raises(NotFound):
        apart.run(value_bytes, path, "00091001")


def test_one_that_takes_too_long_is_not_waited_for(apart: Apart, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    apart.run(os.getpid)
    monkeypatch.setattr(module, "TIMEOUT_S", 0.1)
    with pytest.raises(Unavailable):
        apart.run(time.sleep, 0.5)
