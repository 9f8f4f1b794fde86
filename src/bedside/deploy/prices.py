"""What AWS charges: the dated table that comes with bedside, and newer prices laid over it.

Refuses to invent: a machine that the table does not know has no price, and the message names those that
it knows. Each price keeps its date and where it is from, because an estimate is only as good as these.
"""

import datetime
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from bedside.errors import BedsideError, ConfigError
from bedside.ports.prices import PriceSource

#: Days that prices read from AWS are good for: it changes them a few times a year.
FRESH_DAYS = 7
_SPOT = "EC2's spot prices, mean of the zones"
_SCHEMA = "bedside.prices/1"
#: Whose prices of storage and calls are taken for a region that the table lacks.
_STAND_IN = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One price.

    Attributes:
        usd: Of one unit.
        unit: What is counted, e.g. ``GB-month``.
        date: Of the price: a month, or a day for one that AWS was asked for.
        source: Where it is from.
    """

    usd: float
    unit: str
    date: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceTable:
    """The prices of one region.

    Attributes:
        region: AWS's name.
        date: Of the table.
        prices: By key.
    """

    region: str
    date: str
    prices: Mapping[str, Price]

    def of(self, key: str) -> Price:
        """Return a price.

        Raises:
            ConfigError: There is none of this key.
        """
        try:
            return self.prices[key]
        except KeyError:
            kind, _, name = key.partition("/")
            known = ", ".join(k.partition("/")[2] for k in self.prices if k.startswith(f"{kind}/"))
            raise ConfigError(
                f"no price of {name or kind} ({kind}) in the table of {self.date}, which has {known}",
                hint="name a machine that the table has; the plan itself needs no price",
            ) from None

    def usd(self, key: str) -> float:
        """Return a price in USD per unit; `of` says when there is none."""
        return self.of(key).usd

    def over(self, newer: Mapping[str, float], *, day: datetime.date) -> "PriceTable":
        """Return the table with prices that AWS gave on a day laid over it."""
        laid = {
            key: Price(
                usd=usd,
                unit=self.prices[key].unit if key in self.prices else "machine-hour",
                date=day.isoformat(),
                source=_SPOT if key.startswith("spot/") else "AWS Price List",
            )
            for key, usd in newer.items()
        }
        return replace(self, prices={**self.prices, **laid})


def stand_in(region: str) -> PriceTable:
    """Return a table for a region that the one with bedside lacks: what AWS is not asked for is us-east-1's.

    Machines and databases have no price in it, for those are the region's own or none.
    """
    known = load_table(_STAND_IN)
    prices = {
        key: replace(price, source=f"{_STAND_IN}'s: {price.source}")
        for key, price in known.prices.items()
        if price.unit != "machine-hour"
    }
    return replace(known, region=region, prices=prices)


def load_table(region: str) -> PriceTable:
    """Return the table that comes with bedside, for one region.

    A price that the table has only for us-east-1 is multiplied by the region's factor, and says so.

    Raises:
        ConfigError: The table does not know the region.
    """
    document = json.loads(resources.files("bedside.deploy").joinpath("prices.json").read_text("utf-8"))
    if region not in document["regions"]:
        known = ", ".join(document["regions"])
        raise ConfigError(
            f"no prices of region {region!r}: the table has {known}", hint="bedside deploy cost asks AWS"
        )
    entry = document["regions"][region]
    prices = {
        key: _price(key, value, document["sources"], entry) for key, value in document["prices"].items()
    }
    return PriceTable(region=region, date=document["date"], prices=prices)


def _price(
    key: str, value: Mapping[str, Any], sources: Mapping[str, str], region: Mapping[str, Any]
) -> Price:
    own = region["usd"].get(key)
    if own is not None:
        return Price(
            usd=float(own["usd"]), unit=value["unit"], date=own["date"], source=sources[own["source"]]
        )
    factor, source = float(region["factor"]), sources[value["source"]]
    if factor != 1:
        source = f"us-east-1 times {factor}: {source}"
    return Price(usd=float(value["usd"]) * factor, unit=value["unit"], date=value["date"], source=source)


def refreshed(
    table: PriceTable,
    source: PriceSource,
    *,
    keys: Collection[str],
    cache: Path,
    today: datetime.date,
    again: bool = False,
) -> tuple[PriceTable, str]:
    """Lay AWS's own prices over a table, from a file where they were asked for lately.

    Args:
        table: What is there without them.
        source: Asks AWS.
        keys: What is asked for; the table need not have it.
        cache: JSON file that keeps the answer with its date; what cannot be read is asked for again.
        today: The date, UTC.
        again: Ask even where the file is fresh.

    Returns:
        The table, and a sentence that says of when its prices are.
    """
    kept = None if again else _kept(cache, table.region, keys, today)
    if kept is not None:
        prices, day = kept
        return table.over(prices, day=day), _said(table, prices, keys, day)
    try:
        prices = dict(source.prices(table.region, keys))
    except BedsideError as exc:
        return table, f"table of {table.date}, since AWS's price list cannot be read: {exc.message}"
    cache.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": _SCHEMA,
        "region": table.region,
        "date": today.isoformat(),
        "asked": sorted(keys),
        "usd": prices,
    }
    cache.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return table.over(prices, day=today), _said(table, prices, keys, today)


def _said(table: PriceTable, prices: Mapping[str, float], keys: Collection[str], day: datetime.date) -> str:
    told = f"{len(prices)} of {len(keys)} prices of machines: AWS, {day}"
    return f"{told}; the rest: table of {table.date}"


def _kept(
    cache: Path, region: str, keys: Collection[str], today: datetime.date
) -> tuple[dict[str, float], datetime.date] | None:
    try:
        content = json.loads(cache.read_text(encoding="utf-8"))
        if content["schema"] != _SCHEMA or content["region"] != region:
            return None
        if not set(content["asked"]) >= set(keys):
            return None
        day = datetime.date.fromisoformat(content["date"])
        prices = {str(key): float(usd) for key, usd in content["usd"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return (prices, day) if 0 <= (today - day).days < FRESH_DAYS else None
