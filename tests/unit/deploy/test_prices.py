"""The price table, and AWS's own prices laid over it."""

import json
from collections.abc import Collection, Mapping
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from bedside.deploy.prices import load_table, refreshed, stand_in
from bedside.errors import ConfigError, Unavailable

TODAY = date(2026, 11, 28)
KEY = "ec2/g4dn.xlarge"


class Source:
    def __init__(self, usd: float | None) -> None:
        self.usd = usd
        self.asked: list[str] = []

    def prices(self, region: str, keys: Collection[str]) -> Mapping[str, float]:
        self.asked.append(region)
        assert KEY in keys
        if self.usd is None:
            raise Unavailable("no way there")
        return {KEY: self.usd}


REGIONS = json.loads(resources.files("bedside.deploy").joinpath("prices.json").read_text("utf-8"))["regions"]


@pytest.mark.parametrize("region", sorted(REGIONS))
def test_every_price_has_a_date_a_unit_and_a_source(region: str) -> None:
    # What a region has no price of its own for grows as its most usual machine does.
    assert load_table(region).usd(KEY) == pytest.approx(0.526 * REGIONS[region]["factor"], abs=0.003)
    for key, price in load_table(region).prices.items():
        assert price.usd > 0, key
        assert price.unit, key
        assert len(price.source) > 10, key
        assert date.fromisoformat(f"{price.date}-01"), key


def test_the_owners_bill_is_in_the_table() -> None:
    table = load_table("us-east-1")
    billed = {KEY: 0.526, "s3/storage": 0.023, "s3/writes": 0.005, "healthimaging/storage": 0.105}
    assert {key: table.usd(key) for key in billed} == billed


def test_a_price_made_by_a_factor_says_so() -> None:
    price = load_table("eu-central-1").of("ec2/c7i.xlarge")
    assert price.usd == pytest.approx(0.1785 * 1.25)
    assert price.source.startswith("us-east-1 times 1.25")


def test_a_price_of_the_regions_own_has_its_own_date_and_source() -> None:
    price = load_table("eu-central-1").of("ec2/g4dn.xlarge")
    assert (price.usd, price.date) == (0.658, "2026-01")
    assert price.source.startswith("instances.vantage.sh of 2026-01-21")


def test_an_unknown_machine_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no price of g9\.huge .*g4dn\.xlarge"):
        load_table("us-east-1").of("ec2/g9.huge")


def test_an_unknown_region_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="us-east-1, eu-west-1"):
        load_table("mars-north-1")


def test_newer_prices_replace_old_ones_and_are_kept(tmp_path: Path) -> None:
    cache, source = tmp_path / "below" / "prices.json", Source(0.6)
    table, said = refreshed(load_table("us-east-1"), source, keys=[KEY], cache=cache, today=TODAY)
    assert (table.usd(KEY), table.of(KEY).date) == (0.6, "2026-11-28")
    assert "1 of 1 prices of machines: AWS, 2026-11-28" in said
    assert table.usd("ec2/g5.xlarge") == 1.006

    again, said = refreshed(load_table("us-east-1"), source, keys=[KEY], cache=cache, today=date(2026, 12, 4))
    assert (again.usd(KEY), source.asked) == (0.6, ["us-east-1"])
    assert "1 of 1 prices of machines: AWS, 2026-11-28" in said


@pytest.mark.parametrize(
    ("region", "today", "again"),
    [("us-east-1", date(2026, 12, 5), False), ("eu-west-1", TODAY, False), ("us-east-1", TODAY, True)],
)
def test_a_kept_price_is_not_for_ever_nor_for_everywhere(
    region: str, today: date, again: bool, tmp_path: Path
) -> None:
    cache, source = tmp_path / "prices.json", Source(0.6)
    refreshed(load_table("us-east-1"), source, keys=[KEY], cache=cache, today=TODAY)
    refreshed(load_table(region), source, keys=[KEY], cache=cache, today=today, again=again)
    assert source.asked == ["us-east-1", region]


def test_a_broken_file_is_asked_for_again(tmp_path: Path) -> None:
    cache, source = tmp_path / "prices.json", Source(0.6)
    cache.write_text('{"schema": "bedside.prices/1", "region": "us-east-1", "date": 7')
    table, _ = refreshed(load_table("us-east-1"), source, keys=[KEY], cache=cache, today=TODAY)
    assert table.usd(KEY) == 0.6


def test_out_of_reach_the_tables_date_is_said(tmp_path: Path) -> None:
    cache = tmp_path / "prices.json"
    table, said = refreshed(load_table("us-east-1"), Source(None), keys=[KEY], cache=cache, today=TODAY)
    assert table.usd(KEY) == 0.526
    assert said == "table of 2026-06, since AWS's price list cannot be read: no way there"
    assert not cache.exists()


def test_another_machine_is_asked_for_though_the_file_is_fresh(tmp_path: Path) -> None:
    cache, source = tmp_path / "prices.json", Source(0.6)
    refreshed(load_table("us-east-1"), source, keys=[KEY], cache=cache, today=TODAY)
    _, said = refreshed(
        load_table("us-east-1"), source, keys=[KEY, "ec2/g6e.xlarge"], cache=cache, today=TODAY
    )
    assert len(source.asked) == 2
    assert said.startswith("1 of 2 prices of machines")


def test_a_machine_that_only_aws_knows_has_its_price_and_source() -> None:
    table = load_table("us-east-1").over({"ec2/g6e.xlarge": 1.8, "spot/g4dn.xlarge": 0.2}, day=TODAY)
    new = table.of("ec2/g6e.xlarge")
    assert (new.usd, new.unit, new.source) == (1.8, "machine-hour", "AWS Price List")
    assert table.of("spot/g4dn.xlarge").source.startswith("EC2's spot prices")


def test_what_stands_in_for_an_unlisted_region_has_no_machine_and_says_whose_it_is() -> None:
    with pytest.raises(ConfigError, match="no prices of region 'il-central-1': the table has us-east-1, "):
        load_table("il-central-1")
    table = stand_in("il-central-1")
    assert (table.region, table.usd("s3/storage")) == (
        "il-central-1",
        load_table("us-east-1").usd("s3/storage"),
    )
    assert all(price.source.startswith("us-east-1's: ") for price in table.prices.values())
    assert not [key for key in table.prices if key.startswith(("ec2/", "spot/", "rds/db"))]
