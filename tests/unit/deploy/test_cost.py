"""The arithmetic of an estimate, by numbers that can be checked by hand."""

from dataclasses import replace

import pytest

from bedside.deploy.cost import Estimate, SitePlan, estimate
from bedside.deploy.machine_time import PoolPlan, Workload, machine_seconds
from bedside.deploy.prices import load_table
from bedside.errors import ConfigError

TABLE = load_table("us-east-1")
POOL = PoolPlan()
SITE = SitePlan(pools={"default": POOL})
WORK = Workload()


def usd(found: Estimate, part: str, what: str = "") -> float:
    return sum(line.usd for line in found.lines if line.part == part and what in line.what)


def test_the_database_is_the_fixed_part() -> None:
    found = estimate(SITE, WORK, TABLE)
    assert found.parts()["database"] == pytest.approx(730 * 0.016 + 20 * 0.115)
    assert "control machine" not in found.parts()


def test_metrics_are_paid_in_the_hours_in_which_there_are_any() -> None:
    assert usd(estimate(SITE, WORK, TABLE), "observability", "metrics") == pytest.approx(10 * 0.3 * 300 / 730)


def test_a_database_of_ones_own_costs_nothing_here() -> None:
    found = estimate(replace(SITE, own_ledger=False), WORK, TABLE)
    assert "database" not in found.parts()


def test_the_control_machine_brings_its_disk_and_address() -> None:
    found = estimate(replace(SITE, control=True), WORK, TABLE).parts()
    assert found["control machine"] == pytest.approx(730 * 0.0208)
    assert found["disks"] == pytest.approx(30 * 0.08)
    assert found["addresses"] == pytest.approx(730 * 0.005)


def test_the_total_is_the_fixed_part_and_the_studies() -> None:
    found = estimate(SITE, WORK, TABLE)
    assert found.monthly_usd == pytest.approx(found.fixed_usd + 3000 * found.study_usd)
    assert found.study_usd == pytest.approx(sum(x.usd for x in found.lines if x.per == "study"))


def test_one_study_a_day_pays_for_its_start_and_its_idle_time() -> None:
    work = Workload(studies_per_day=0.001, seconds=25)
    # the last count that sees a study of 25 s does so half of that before its end, on average
    assert machine_seconds(POOL, work) == pytest.approx(180 + 25 + 300 - 12.5 + 12, rel=1e-3)


def test_a_machine_is_paid_for_a_minute_at_least() -> None:
    pool = PoolPlan(warm_pool=1, gpu=False, idle_s=0)
    least = machine_seconds(pool, Workload(studies_per_day=0.001, seconds=0.5))
    assert least == pytest.approx(60, rel=1e-3)


def test_a_busy_machine_never_leaves() -> None:
    assert machine_seconds(POOL, Workload(studies_per_day=3600, seconds=9.5)) == 10
    assert machine_seconds(POOL, Workload(studies_per_day=36000, seconds=9.5)) == 9.5


def test_waiting_for_company_shares_the_start() -> None:
    alone = machine_seconds(POOL, WORK)
    shared = machine_seconds(replace(POOL, permitted_wait_s=900), WORK)
    assert shared < alone * 0.8
    assert machine_seconds(replace(POOL, permitted_wait_s=1800), WORK) < shared
    # a wait that is not longer than the start is none
    assert machine_seconds(replace(POOL, permitted_wait_s=240), WORK) == alone
    assert machine_seconds(replace(POOL, permitted_wait_s=900, start_s=900), WORK) == alone


def test_each_kind_of_machine_has_its_own_start() -> None:
    kept: list[dict[str, int]] = [{}, {"release_disk_gb": 40}, {"warm_pool": 1}]
    kinds = [replace(POOL, gpu=gpu, **what) for gpu in (True, False) for what in kept]
    assert [pool.billed_start_s for pool in kinds] == [180, 60, 50, 80, 49, 35]
    # from 900 s a start of 240, 120, 100, 150, 110, 90 s is taken
    waiting = [replace(pool, permitted_wait_s=900).gathering_s for pool in kinds]
    assert waiting == [660, 780, 800, 750, 790, 810]
    assert replace(POOL, permitted_wait_s=300).gathering_s == 0, "the next look may be too late"


def test_the_goal_of_a_hundred_studies_a_day_is_reached_with_a_warm_pool() -> None:
    quick = PoolPlan(warm_pool=1, idle_s=0, permitted_wait_s=900)
    seconds = machine_seconds(quick, Workload(seconds=12))
    assert seconds / 3600 * TABLE.usd("ec2/g4dn.xlarge") < 0.005


def test_the_goal_on_spot_is_reached_with_a_release_disk() -> None:
    quick = PoolPlan(release_disk_gb=40, spot=True, idle_s=0, permitted_wait_s=900)
    seconds = machine_seconds(quick, Workload(seconds=12))
    assert seconds / 3600 * TABLE.usd("spot/g4dn.xlarge") < 0.002
    without = machine_seconds(replace(quick, release_disk_gb=0), Workload(seconds=12))
    assert without / 3600 * TABLE.usd("spot/g4dn.xlarge") > 0.002


def test_machine_seconds_become_money() -> None:
    found = estimate(SITE, WORK, TABLE)
    assert usd(found, "machines", "g4dn.xlarge") == pytest.approx(found.machine_s_per_study / 3600 * 0.526)


def test_spot_is_paid_by_its_own_price() -> None:
    spot = estimate(SitePlan(pools={"default": replace(POOL, spot=True)}), WORK, TABLE)
    assert usd(spot, "machines", "on spot") == pytest.approx(spot.machine_s_per_study / 3600 * 0.21)


def test_a_stopped_machine_costs_its_disk() -> None:
    warm = estimate(SitePlan(pools={"default": replace(POOL, warm_pool=2, disk_gb=50)}), WORK, TABLE)
    assert warm.parts()["disks"] == pytest.approx(2 * 50 * 0.08)


def test_a_release_disk_is_paid_all_month_in_each_of_its_zones() -> None:
    kept = replace(POOL, release_disk_gb=40, release_disk_zones=2)
    found = estimate(SitePlan(pools={"default": kept}), WORK, TABLE)
    assert found.parts()["disks"] == pytest.approx(2 * 40 * 0.08)
    assert usd(found, "machines", "their disks") > 0, "besides each machine's own"


def test_two_pools_are_two_machines() -> None:
    both = estimate(SitePlan(pools={"a": POOL, "b": POOL}), WORK, TABLE)
    assert both.machine_s_per_study == pytest.approx(2 * machine_seconds(POOL, WORK))


def test_storage_and_requests_of_a_study() -> None:
    found = estimate(SITE, replace(WORK, study_mb=200, kept_months=12), TABLE)
    # As it was sent, and file by file; and the result.
    assert usd(found, "storage") == pytest.approx(0.2 * 2.05 * 12 * 0.023)
    assert usd(found, "requests", "EventBridge") == pytest.approx(120 * 1e-6)
    # 3,000 studies a month, of which nothing is deleted, whatever a single one is taken to be kept.
    assert found.storage[1] == pytest.approx((0.2 * 2.05 * 3000, 0.2 * 2.05 * 3000 * 0.023))
    assert found.storage[12] == pytest.approx(tuple(12 * value for value in found.storage[1]))
    assert found.to_json()["storage_after_months"]["12"]["gb"] == pytest.approx(14_760)
    assert usd(found, "requests") == pytest.approx(60 * 0.005e-3 + 60 * 0.0004e-3 + 30 * 0.4e-6 + 120 * 1e-6)


def test_the_free_part_of_healthimaging_is_free() -> None:
    site = replace(SITE, archive=True)
    assert usd(estimate(site, Workload(studies_per_day=5), TABLE), "archive") == 0
    many = usd(estimate(site, Workload(studies_per_day=100), TABLE), "archive")
    assert many == pytest.approx((0.105 - 20 / 3000) * 0.105 + (10 - 20_000 / 3000) * 0.005e-3)


def test_a_machine_without_a_price_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no price of x1"):
        estimate(SitePlan(pools={"default": PoolPlan(machine="x1")}), WORK, TABLE)
