"""AWS's own prices: its Price List for machines on demand and databases, EC2's history for spot.

Owns the questions; refuses to guess: a machine that AWS names no price of is left out, and so the table's
stays. Waits briefly, because nobody who asks for an estimate waits a minute to hear that there is no network.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

import boto3
from botocore.config import Config

from bedside.adapters.aws.errors import as_ours

#: The Price List answers for all regions, and from three of them only.
_LIST_REGION = "us-east-1"
_CONFIG = Config(connect_timeout=3, read_timeout=15, retries={"mode": "standard", "max_attempts": 2})
#: What makes one price out of the hundreds of a kind of machine: Linux, shared hardware, nothing reserved.
_SERVICES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "ec2": (
        "AmazonEC2",
        {
            "operatingSystem": "Linux",
            "preInstalledSw": "NA",
            "tenancy": "Shared",
            "capacitystatus": "Used",
            "marketoption": "OnDemand",
        },
    ),
    "rds": ("AmazonRDS", {"databaseEngine": "PostgreSQL", "deploymentOption": "Single-AZ"}),
}
_HOURS = frozenset({"Hrs", "Hours"})


class AwsPrices:
    """`bedside.ports.prices.PriceSource` through boto3."""

    def prices(self, region: str, keys: Collection[str]) -> Mapping[str, float]:
        """Return USD per hour of machines (``ec2/``, ``spot/``) and databases (``rds/``).

        A spot price is the mean of the region's zones, as of now.

        Raises:
            Unavailable: AWS is out of reach, or refuses.
            ConfigError: The profile that the environment names is wrong.
        """
        found: dict[str, float] = {}
        with as_ours("AWS's price list"):
            session = boto3.session.Session()
            listed = session.client("pricing", region_name=_LIST_REGION, config=_CONFIG)
            for key in sorted(keys):
                kind, _, machine = key.partition("/")
                if kind in _SERVICES and (usd := _listed(listed, kind, machine, region)) is not None:
                    found[key] = usd
            spot = sorted(key.partition("/")[2] for key in keys if key.startswith("spot/"))
            if spot:
                ec2 = session.client("ec2", region_name=region, config=_CONFIG)
                found |= {f"spot/{machine}": usd for machine, usd in _spot(ec2, spot).items()}
        return found


def _listed(client: Any, kind: str, machine: str, region: str) -> float | None:
    """Return the hourly price on demand; None where the list has none, or several that differ."""
    service, more = _SERVICES[kind]
    wanted = {**more, "instanceType": machine, "regionCode": region}
    answer = client.get_products(
        ServiceCode=service,
        FormatVersion="aws_v1",
        Filters=[{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()],
    )
    usd = {price for product in answer["PriceList"] for price in _hourly(json.loads(product))}
    return usd.pop() if len(usd) == 1 else None


def _hourly(product: Mapping[str, Any]) -> Iterator[float]:
    """Yield the prices of an hour on demand that are not nothing (a reserved machine's hour costs 0)."""
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            usd = float(dimension["pricePerUnit"].get("USD", 0))
            if dimension["unit"] in _HOURS and usd > 0:
                yield usd


def _spot(ec2: Any, machines: list[str]) -> dict[str, float]:
    answer = ec2.describe_spot_price_history(
        InstanceTypes=machines, ProductDescriptions=["Linux/UNIX"], StartTime=datetime.now(tz=UTC)
    )
    newest = {
        (price["InstanceType"], price["AvailabilityZone"]): float(price["SpotPrice"])
        for price in reversed(answer["SpotPriceHistory"])  # the newest comes first
    }
    return {
        machine: round(fmean(of_it), 6)
        for machine in machines
        if (of_it := [usd for (kind, _), usd in newest.items() if kind == machine])
    }
