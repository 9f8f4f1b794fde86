"""Studies and jobs in the ledger of a portal, in any state, for tests of who follows them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bedside.domain.arrival import Arrival
from bedside.domain.catalogue import Catalogued, Described, Layout, Source, SourceKind
from bedside.domain.job import Failure, Job
from bedside.domain.pipeline import Pipeline
from bedside.ports import Ledger
from bedside.wiring import Deployment
from ledger_samples import make_arrival, make_job, make_pipeline, make_result

FAILURE = Failure(error="ModelFailed", message="child ended with status 139", hint="bedside doctor")
SPLEEN, LIVER = make_pipeline("spleen", release="sha256:aa"), make_pipeline("liver", release="sha256:bb")


def study(ledger: Ledger, seed: int, at: datetime, *, tenant: str = "default", subject: str = "") -> Arrival:
    """Record a study of two instances."""
    made = make_arrival(seed * 10, seed * 10 + 1, tenant=tenant, subject=subject or f"1.2.3.4.{seed}")
    return ledger.add_arrival(replace(made, received_at=at))


def queued(ledger: Ledger, arrival: Arrival, at: datetime, pipeline: Pipeline = SPLEEN) -> Job:
    """Queue a job on it."""
    return ledger.enqueue(replace(make_job(arrival, pipeline, created_at=at), rule="every CT"))[0]


def done(ledger: Ledger, at: datetime, *, seconds: float = 40.0, worker: str = "w1") -> Job:
    """Let the next job in line end well."""
    lease = ledger.lease(pools=(), worker=worker, now=at, lease_s=3600)
    assert lease is not None
    end = at + timedelta(seconds=seconds)
    return ledger.complete(lease, make_result(lease, created_at=end), now=end)


def failed(ledger: Ledger, at: datetime) -> Job:
    """Let the next job in line end in the dead letter."""
    lease = ledger.lease(pools=(), worker="w1", now=at, lease_s=3600)
    assert lease is not None
    return ledger.fail(lease, FAILURE, now=at, retry_at=None)


def name(deployment: Deployment, arrival: Arrival, **values: str) -> None:
    """Put a study into the catalogue: whose it is."""
    tags = {"name": "00100010", "id": "00100020", "accession": "00080050", "description": "00081030"}
    attributes: dict[str, Mapping[str, object]] = {
        tags[key]: {"vr": "PN", "Value": [{"Alphabetic": value}]}
        if key == "name"
        else {"vr": "LO", "Value": [value]}
        for key, value in values.items()
    }
    series = f"{arrival.subject}.1"
    source = Source(
        tenant=arrival.tenant,
        study_uid=arrival.subject,
        kind=SourceKind.ARRIVAL,
        id=arrival.id,
        rank=arrival.version,
    )
    described = Described(
        study_uid=arrival.subject,
        series_uid=series,
        sop_instance_uid=arrival.files[0].sop_instance_uid,
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        study={**attributes, "0020000D": {"vr": "UI", "Value": [arrival.subject]}},
        series={
            "0020000E": {"vr": "UI", "Value": [series]},
            "00080060": {"vr": "CS", "Value": ["CT"]},
            "0008103E": {"vr": "LO", "Value": ["PORTAL VENOUS"]},
        },
        instance={},
        metadata=b"{}",
        layout=Layout(),
    )
    brought = [Catalogued(key=arrival.files[0].key, size_bytes=100, described=described)]
    assert deployment.records.catalogue.put(source, brought, done=True)
