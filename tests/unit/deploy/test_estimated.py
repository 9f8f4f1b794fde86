"""What a plan says of its cost."""

import re

import pytest

from bedside.config import DeploySettings, PoolSettings
from bedside.deploy.estimated import cost_line, estimate_of, machine_keys, site_plan


def test_the_cost_follows_the_settings() -> None:
    plain = estimate_of(DeploySettings(), "us-east-1")
    spot = estimate_of(DeploySettings(pools={"default": PoolSettings(spot=True)}), "us-east-1")
    own = estimate_of(DeploySettings(ledger_url="postgresql://db/b"), "us-east-1")
    assert spot.study_usd < plain.study_usd and spot.fixed_usd == plain.fixed_usd
    assert own.fixed_usd < plain.fixed_usd, "a database that exists costs nothing more"
    pool = PoolSettings(instance_types=("g6.xlarge",), warm_pool=1, idle_s=60, disk_gb=50)
    plan = site_plan(DeploySettings(pools={"a": pool})).pools["a"]
    assert (plan.machine, plan.warm_pool, plan.idle_s, plan.disk_gb) == ("g6.xlarge", 1, 60, 50)


def test_a_control_machine_is_paid_for_all_month() -> None:
    domain = "bedside.ward.example"
    plain = estimate_of(DeploySettings(), "us-east-1")
    small = estimate_of(DeploySettings(control=True, control_domain=domain), "us-east-1")
    medium = DeploySettings(control=True, control_domain=domain, control_machine="t3.medium")
    assert small.parts()["control machine"] == pytest.approx(730 * 0.0208)
    assert small.fixed_usd - plain.fixed_usd == pytest.approx(730 * (0.0208 + 0.005) + 30 * 0.08 + 0.1)
    assert estimate_of(medium, "us-east-1").fixed_usd > small.fixed_usd
    senders = DeploySettings(control=True, control_domain=domain, dicom_from=("192.0.2.7/32",))
    assert 0 < estimate_of(senders, "us-east-1").fixed_usd - small.fixed_usd < 4 * 0.3


def test_aws_is_asked_for_this_deployments_machines_and_no_others() -> None:
    pools = {"a": PoolSettings(spot=True), "b": PoolSettings(instance_types=("c7i.xlarge",), gpu=False)}
    settings = DeploySettings(
        pools=pools, control=True, control_domain="bedside.ward.example", control_machine="t3.medium"
    )
    wanted = {"spot/g4dn.xlarge", "ec2/c7i.xlarge", "ec2/t3.medium", "rds/db.t4g.micro"}
    assert machine_keys(site_plan(settings)) == wanted
    assert machine_keys(site_plan(DeploySettings(ledger_url="postgresql://db/b"))) == {"ec2/g4dn.xlarge"}


def test_the_line_has_both_numbers_and_the_date() -> None:
    found = estimate_of(DeploySettings(), "us-east-1")
    line = cost_line(DeploySettings(), "us-east-1")
    assert f"USD {found.fixed_usd:.2f} a month" in line and f"USD {found.study_usd:.3f} a study" in line
    assert re.search(r"prices of \d{4}-\d\d", line)


def test_a_price_that_is_missing_is_said_and_stops_nothing() -> None:
    odd = DeploySettings(pools={"default": PoolSettings(instance_types=("x9.huge",))})
    assert cost_line(odd, "us-east-1").startswith("cost: not known: no price of x9.huge")
    assert cost_line(DeploySettings(), "il-central-1").startswith("cost: not known: no prices of region")
