"""What is asked before anything is made, of an account that has little."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from bedside.config import DeploySettings, PoolSettings
from bedside.deploy.checks import Finding, findings
from bedside.deploy.record import Record, proof
from bedside.deploy.runner import Held
from bedside.ports.cloud import Caller, Cloud, Tagged


class Account:
    """An account in eu-west-1 with room for eight vCPUs on demand, none on spot, and no HealthImaging."""

    region = "eu-west-1"
    enabled: Sequence[str] = ("eu-west-1", "us-east-1")
    tags: Sequence[Tagged] = ()
    there: Mapping[str, bool] = {}
    kept: Mapping[tuple[str, str], bytes] = {}

    def caller(self) -> Caller:
        return Caller(account="1", arn="arn:aws:iam::1:user/eva")

    def regions(self) -> Sequence[str]:
        return self.enabled

    def vcpus(self, instance_types: Sequence[str]) -> Mapping[str, int]:
        return {name: 4 for name in instance_types if name.startswith("g4dn")}

    def zones(self) -> Sequence[str]:
        return ("eu-west-1a", "eu-west-1b", "eu-west-1c")

    def zones_of(self, instance_type: str) -> Sequence[str]:
        """Return the last zone and a local one for g4dn.metal, the first for g4dn.2xlarge, else all."""
        some = {"g4dn.metal": ("eu-west-1-atl-1a", "eu-west-1c"), "g4dn.2xlarge": ("eu-west-1a",)}
        return some.get(instance_type, self.zones())

    def quota_vcpus(self, instance_type: str, *, spot: bool) -> float | None:
        return 0.0 if spot else 8.0

    def has_imaging(self) -> bool:
        return False

    def tagged(self, deployment: str = "") -> Sequence[Tagged]:
        return [item for item in self.tags if item.deployment == deployment]

    def exists(self, arn: str) -> bool | None:
        return self.there.get(arn)

    def read(self, bucket: str, key: str) -> bytes | None:
        return self.kept.get((bucket, key))

    def write(self, bucket: str, key: str, data: bytes) -> None:
        self.kept = {**self.kept, (bucket, key): data}


def asked(account: Account, **settings: Any) -> list[Finding]:
    return list(findings(cast(Cloud, account), DeploySettings(**settings)))


def test_a_quota_holds_the_most_machines_or_says_how_many_it_lacks() -> None:
    two, three = (asked(Account(), pools={"a": PoolSettings(max=n)})[-1] for n in (2, 3))
    assert two.ok and two.text == "pool a: 2 × g4dn.xlarge need 8 on-demand vCPUs, the quota is 8"
    assert three.ok is False and "need 12 on-demand vCPUs, the quota is 8" in three.text
    assert three.mend.startswith("ask AWS for 12 vCPUs: https://")


def zoned(**settings: Any) -> list[Finding]:
    return [finding for finding in asked(Account(), **settings) if "which is in" in finding.text]


def test_a_kind_that_no_chosen_zone_has_names_those_that_have_it() -> None:
    (found,) = zoned(pools={"a": PoolSettings(instance_types=("g4dn.metal",))})
    assert found.ok is False
    assert found.text == "pool a: none of eu-west-1a, eu-west-1b has g4dn.metal, which is in eu-west-1c"
    assert found.mend.startswith("set deploy.availability_zones = 3, or set deploy.pools.a.instance_types")
    assert not zoned(pools={"a": PoolSettings(instance_types=("g4dn.metal",))}, availability_zones=3)[0].mend


def test_a_kind_that_some_zones_have_stops_nothing() -> None:
    (found,) = zoned(pools={"a": PoolSettings(instance_types=("g4dn.2xlarge",))})
    assert (found.ok, found.mend) == (None, "") and "only eu-west-1a of eu-west-1a, eu-west-1b" in found.text
    # Nor does one that no zone has, beside another.
    (found,) = zoned(pools={"a": PoolSettings(instance_types=("g4dn.metal", "g4dn.xlarge"))})
    assert found.ok is None
    assert not zoned(pools={"a": PoolSettings()})


def test_where_releases_disks_are_is_where_machines_start() -> None:
    pool = PoolSettings(instance_types=("g4dn.2xlarge",), release_disk_gb=30)
    assert not zoned(pools={"a": pool})


def test_spot_has_a_quota_of_its_own() -> None:
    found = asked(Account(), pools={"a": PoolSettings(spot=True)})[-1]
    assert found.ok is False and "need 4 spot vCPUs, the quota is 0" in found.text


def test_a_region_that_is_not_enabled_ends_the_questions() -> None:
    account = Account()
    account.enabled = ("us-east-1",)
    *_, last = asked(account)
    assert last.ok is False and last.mend == "aws account enable-region --region-name eu-west-1"


def test_no_imaging_matters_only_to_who_archives() -> None:
    assert all(finding.ok for finding in asked(Account()))
    last = asked(Account(), archive=True, datastore_id="0" * 32)[-1]
    assert last.ok is False and last.text == "HealthImaging does not exist in eu-west-1"


def test_a_control_machine_is_of_a_kind_that_is_there_and_somebody_may_reach_it() -> None:
    control: dict[str, Any] = {"control": True, "control_domain": "bedside.ward.example"}
    account = Account()
    absent = asked(account, **control)[-1]
    assert absent.ok is False and absent.text == "control machine: t3.small does not exist in eu-west-1"
    control["control_machine"] = "g4dn.xlarge"
    lonely = asked(account, **control)[-1]
    assert lonely.ok is None and "nobody can reach bedside.ward.example" in lonely.text
    assert asked(account, **control, control_cidrs=("192.0.2.0/24",))[-1].ok
    opened = asked(account, **control, dicom_from=("192.0.2.7/32",))[-1]
    assert opened.ok and opened.text == (
        "studies by C-STORE: bedside.ward.example:11112 with TLS, from 192.0.2.7/32"
    )


def test_a_proof_needs_both_witnesses(tmp_path: Path) -> None:
    account = Account()
    role, vpc, stray = "arn:aws:iam::1:role/r", "arn:aws:ec2:eu-west-1:1:vpc/v", "arn:aws:sqs:eu-west-1:1:q"
    made = [
        Held(address="a", type="aws_iam_role", id="r", arn=role),
        Held(address="b", type="aws_vpc", id="v", arn=vpc),
        Held(address="c", type="aws_route", id="x", arn=""),
    ]
    account.there = {role: True}
    account.tags = [Tagged(arn=stray, deployment="ward", region="eu-west-1")]
    found = proof(cast(Cloud, account), "ward", made)
    assert found.left == (role, stray) and found.unasked == 1
    account.there, account.tags = {role: False, vpc: False}, []
    assert proof(cast(Cloud, account), "ward", made).summary == (
        "nothing is left: 2 resources were asked for and are gone"
    )


def test_the_record_keeps_what_a_replacement_left_behind(tmp_path: Path) -> None:
    record = Record(folder=tmp_path, cloud=cast(Cloud, Account()))
    assert record.made() == []
    old = Held(address="a", type="aws_vpc", id="v1", arn="arn:1")
    new = Held(address="a", type="aws_vpc", id="v2", arn="arn:2")
    record.add([old])
    record.add([new])
    record.add([new])
    assert record.made() == [old, new]


def test_whoever_removes_a_deployment_knows_what_others_made(tmp_path: Path) -> None:
    cloud = cast(Cloud, Account())
    first, second = (
        Record(folder=tmp_path / who, cloud=cloud, bucket="state", key="ward/record.json")
        for who in ("eva", "noa")
    )
    for record in (first, second):
        record.folder.mkdir()
    role = Held(address="a", type="aws_iam_role", id="r", arn="arn:r")
    first.add([role])
    assert second.made() == [role]
    queue = Held(address="b", type="aws_sqs_queue", id="q", arn="arn:q")
    second.add([queue])
    assert first.made() == [role, queue]


def test_a_region_whose_databases_nobody_vouches_for_needs_a_file() -> None:
    account = Account()
    account.region = "il-central-1"
    account.enabled = ("il-central-1",)
    (missing,) = [finding for finding in asked(account) if finding.text.startswith("database")]
    assert missing.ok is False and "deploy.ledger_ca" in missing.mend
    for settings in ({"ledger_ca": "rds.pem"}, {"ledger_url": "postgresql://db.example/b"}):
        assert not [found for found in asked(account, **settings) if found.text.startswith("database")]
