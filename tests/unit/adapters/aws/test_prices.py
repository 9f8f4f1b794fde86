"""Prices read from AWS: its answers are faked, and held with the questions to botocore's models."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from bedside.adapters.aws import prices
from bedside.adapters.aws.prices import AwsPrices
from bedside.errors import Unavailable


def product(usd: str, *, unit: str = "Hrs", terms: str = "OnDemand") -> str:
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}}
    return json.dumps({"product": {}, "terms": {terms: {"A.B": {"priceDimensions": {"A.B.C": dimension}}}}})


class Session:
    """Gives out clients whose requests and answers botocore's stubber checks against its models."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, str], Any] = {}

    def client(self, service: str, *, region_name: str, config: Any) -> Any:
        return self.made[service, region_name]

    def stub(self, service: str, region: str) -> Stubber:
        client = boto3.client(service, region_name=region)
        self.made[service, region] = client
        stubber = Stubber(client)
        stubber.activate()
        return stubber


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")  # pragma: allowlist secret
    made = Session()
    monkeypatch.setattr(prices.boto3.session, "Session", lambda: made)
    yield made


def test_a_machine_has_its_hourly_price_on_demand(session: Session) -> None:
    with session.stub("pricing", "us-east-1") as listed:
        answer = {"PriceList": [product("0.5870000000"), product("0.0", terms="OnDemand")]}
        wanted = {"ServiceCode": "AmazonEC2", "FormatVersion": "aws_v1", "Filters": ANY}
        listed.add_response("get_products", answer, wanted)
        listed.add_response("get_products", {"PriceList": [product("0.018")]})
        found = AwsPrices().prices("eu-west-1", ["ec2/g4dn.xlarge", "rds/db.t4g.micro", "s3/storage"])
    assert found == {"ec2/g4dn.xlarge": 0.587, "rds/db.t4g.micro": 0.018}


def test_the_question_names_region_and_machine(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, str]] = []

    class Listed:
        def get_products(self, *, Filters: list[dict[str, str]], **_: Any) -> Any:
            asked.append({one["Field"]: one["Value"] for one in Filters})
            return {"PriceList": []}

    session.made["pricing", "us-east-1"] = Listed()
    AwsPrices().prices("eu-west-1", ["ec2/g6.xlarge"])
    assert asked[0]["instanceType"] == "g6.xlarge" and asked[0]["regionCode"] == "eu-west-1"
    assert (asked[0]["operatingSystem"], asked[0]["tenancy"], asked[0]["preInstalledSw"]) == (
        "Linux",
        "Shared",
        "NA",
    )


@pytest.mark.parametrize(
    "listed",
    [
        [],
        [product("0.5"), product("0.6")],
        [product("0.5", unit="Quantity")],
        [product("1", terms="Reserved")],
    ],
    ids=["none", "two that differ", "not of an hour", "reserved"],
)
def test_no_price_is_guessed(session: Session, listed: list[str]) -> None:
    with session.stub("pricing", "us-east-1") as stub:
        stub.add_response("get_products", {"PriceList": listed})
        assert AwsPrices().prices("us-east-1", ["ec2/g4dn.xlarge"]) == {}


def test_spot_is_the_mean_of_the_zones_newest_prices(session: Session) -> None:
    now = datetime.now(tz=UTC)
    history = [
        {
            "InstanceType": kind,
            "AvailabilityZone": zone,
            "SpotPrice": usd,
            "Timestamp": now - timedelta(hours=age),
        }
        for kind, zone, usd, age in [
            ("g4dn.xlarge", "a", "0.20", 0),
            ("g4dn.xlarge", "b", "0.30", 1),
            ("g4dn.xlarge", "a", "9.00", 2),
        ]
    ]
    session.stub("pricing", "us-east-1")
    with session.stub("ec2", "eu-west-1") as ec2:
        ec2.add_response("describe_spot_price_history", {"SpotPriceHistory": history})
        found = AwsPrices().prices("eu-west-1", ["spot/g4dn.xlarge", "spot/g5.xlarge"])
    assert found == {"spot/g4dn.xlarge": 0.25}


def test_a_refusal_names_the_missing_right(session: Session) -> None:
    with session.stub("pricing", "us-east-1") as listed:
        listed.add_client_error(
            "get_products",
            "AccessDeniedException",
            "User: arn:aws:iam::1:user/x is not authorized to perform: pricing:GetProducts",
        )
        with pytest.raises(Unavailable, match="denies pricing:GetProducts to arn:aws:iam::1:user/x"):
            AwsPrices().prices("us-east-1", ["ec2/g4dn.xlarge"])
