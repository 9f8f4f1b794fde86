"""What studies took, summed up from their results."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bedside.adapters.memory.blobs import MemoryBlobStore
from bedside.deploy.actual import per_day, per_release, read_results, taken, total
from bedside.domain.request import RunRequest
from bedside.errors import Unavailable
from bedside.runtime.record import Spent, StageReport, compose_result

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def result(day: int = 1, *, name: str = "spleen", usd_per_h: float = 0.526, seconds: float = 36) -> Any:
    """Return a ``result.json`` as a worker writes it, of a stage that held a GPU for ten seconds."""
    at = datetime(2026, 11, day, 23, 59, 59, tzinfo=UTC)
    request = RunRequest(
        job_identity="j",
        arrival_id="a",
        release="sha256:" + "0" * 64,
        release_name=name,
        release_version="1.0" if name else "",
        content_at=at,
    )
    stage = StageReport(
        name="read",
        release=request.release,
        report={"notes": {"device": "cuda:0"}},
        timings_s={"run": 10.0},
        spent=Spent(machine="g4dn.xlarge", usd_per_h=usd_per_h, seconds=seconds),
    )
    return compose_result(request=request, stages=[stage], files=[], created_at=at)


def test_a_release_is_summed_up_and_priced_per_study() -> None:
    studies = [taken(result()), taken(result(2, seconds=72)), taken(result(2, name="lung"))]
    spleen, lung = per_release(studies)
    assert (spleen.name, spleen.studies, spleen.seconds, spleen.gpu_s) == ("spleen 1.0", 2, 108, 20)
    assert spleen.cents_per_study == pytest.approx(100 * 54 / 3600 * 0.526)
    assert (lung.name, lung.studies) == ("lung 1.0", 1)
    assert [(day.name, day.studies) for day in per_day(studies)] == [("2026-11-01", 1), ("2026-11-02", 2)]
    assert total(studies).usd == pytest.approx(144 / 3600 * 0.526)


def test_what_knows_no_price_is_counted_and_not_averaged() -> None:
    bare = result()
    del bare["compute"]
    whole = total([taken(result()), taken(result(usd_per_h=0)), taken(bare)])
    assert (whole.studies, whole.priced, whole.gpu_s) == (3, 1, 30)
    assert whole.cents_per_study == pytest.approx(0.526)
    assert total([taken(bare)]).cents_per_study is None
    assert total([]).studies == 0


def test_a_release_without_a_name_is_its_digest() -> None:
    assert taken(result(name="")).release == "sha256:000000000000"


def test_results_of_a_store_are_read_and_other_files_are_not() -> None:
    blobs = MemoryBlobStore().tenant("ward")
    blobs.put("results/a/result.json", json.dumps(result()).encode())
    blobs.put("results/a/seg.dcm", b"x")
    blobs.put("work/b/result.json", b"{}")
    assert [one.release for one in read_results(blobs, LONG_AGO)] == ["spleen 1.0"]
    blobs.put("results/p/result.json", json.dumps(result() | {"phantom": True}).encode())
    assert len(list(read_results(blobs, LONG_AGO))) == 1, "a phantom's is not counted"
    assert not list(read_results(blobs, datetime.now(tz=UTC) + timedelta(days=1)))
    blobs.put("results/c/result.json", b"{}")
    with pytest.raises(Unavailable, match="none of bedside's"):
        list(read_results(blobs, LONG_AGO))
