"""What every ledger keeps of tenants: changed over the state a change was made from; data are kept apart."""

from dataclasses import replace

import pytest

from bedside.domain.release import Role
from bedside.domain.tenant import Ending, Tenant, TenantBuckets, TenantState
from bedside.errors import UsageError
from bedside.ports import JobFilter, Ledger
from contracts.test_ledger import ledger, must_take, on_postgresql  # noqa: F401 - fixtures
from contracts.test_ledger_exports import ended
from ledger_samples import T0, at, make_arrival, make_job

WARD = Tenant(name="hospital.ward", state=TenantState.MAKING, made_at=T0)


def test_every_value_of_a_tenant_comes_back(ledger: Ledger) -> None:  # noqa: F811
    assert ledger.tenant(WARD.name) is None and list(ledger.tenants()) == []
    assert ledger.put_tenant(WARD, over=None)
    assert ledger.tenant(WARD.name) == WARD
    after = replace(WARD.active(), buckets=TenantBuckets(input="in", output="out"))
    assert ledger.put_tenant(after, over=TenantState.MAKING)
    assert ledger.tenant(WARD.name) == after
    closing = after.closing(Ending.ARCHIVE, "s3://elsewhere/ward")
    assert ledger.put_tenant(closing, over=TenantState.ACTIVE)
    assert ledger.put_tenant(closing.closed(at(9)), over=TenantState.CLOSING)
    assert ledger.tenant(WARD.name) == closing.closed(at(9))
    other = replace(WARD, name="hospital.Other")
    assert ledger.put_tenant(other, over=None)
    assert [tenant.name for tenant in ledger.tenants()] == ["hospital.Other", "hospital.ward"]


def test_a_change_is_written_only_over_the_state_it_was_made_from(ledger: Ledger) -> None:  # noqa: F811
    assert not ledger.put_tenant(WARD.active(), over=TenantState.MAKING), "there is none yet"
    assert ledger.put_tenant(WARD, over=None)
    assert not ledger.put_tenant(WARD.active(), over=None), "made by two"
    assert not ledger.put_tenant(WARD, over=TenantState.ACTIVE)
    assert ledger.tenant(WARD.name) == WARD


def test_who_has_data_is_known_without_a_record(ledger: Ledger) -> None:  # noqa: F811
    assert list(ledger.tenants_with_data()) == []
    ledger.add_arrival(make_arrival(1, tenant="ward"))
    ended(ledger, 2, tenant="clinic")
    assert list(ledger.tenants_with_data()) == ["clinic", "ward"]


def test_a_forgotten_tenant_leaves_its_record_and_the_others(ledger: Ledger) -> None:  # noqa: F811
    ward, clinic = ended(ledger, 1, tenant="ward"), ended(ledger, 2, tenant="clinic")
    record = Tenant(name="ward", state=TenantState.CLOSING, made_at=T0, ending=Ending.REMOVE)
    assert ledger.put_tenant(record, over=None)
    assert ledger.forget_tenant("ward") >= 4  # an arrival, a job, a result, an export, and its history
    assert list(ledger.jobs("ward", JobFilter())) == [] and ledger.result("ward", ward.id) is None
    assert ledger.export("ward", ward.id) is None and list(ledger.events("ward")) == []
    assert ledger.tenant("ward") == record
    assert ledger.job("clinic", clinic.id) == clinic and ledger.result("clinic", clinic.id)
    assert list(ledger.tenants_with_data()) == ["clinic"]
    assert ledger.forget_tenant("ward") == 0


def test_a_tenant_whose_job_runs_is_not_forgotten(ledger: Ledger) -> None:  # noqa: F811
    arrival = ledger.add_arrival(make_arrival(1, tenant="ward"))
    ledger.enqueue(make_job(arrival))
    lease = must_take(ledger)
    with pytest.raises(UsageError, match="1 jobs run"):
        ledger.forget_tenant("ward")
    assert ledger.job("ward", lease.job.id).role is Role.CURRENT
    ledger.cancel("ward", lease.job.id, at(1))
    assert ledger.forget_tenant("ward") > 0
