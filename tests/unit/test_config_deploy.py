"""The section [deploy]: what is refused before anything is asked of AWS."""

from pathlib import Path

import pytest

from bedside.config import Settings, load, shown
from bedside.errors import ConfigError


def read(folder: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    path = folder / "bedside.toml"
    path.write_text(f"[deploy]\n{text}")
    return load(path, environment=environment or {}, flags={}).settings


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(folder, text)
    return caught.value.message


def test_nothing_said_is_one_machine_that_is_off() -> None:
    pools = Settings().deploy.pools
    assert list(pools) == ["default"]
    assert (pools["default"].max, pools["default"].instance_types, pools["default"].spot) == (
        1,
        ("g4dn.xlarge",),
        False,
    )


def test_what_aws_would_refuse_later_is_refused_now(tmp_path: Path) -> None:
    assert "warm pool of spot" in refusal(tmp_path, "[deploy.pools.a]\nspot = true\nwarm_pool = 1")
    assert "choice of instance_types" in refusal(
        tmp_path, '[deploy.pools.a]\nwarm_pool = 1\ninstance_types = ["c7i.large", "c7i.xlarge"]'
    )
    disk = "[deploy.pools.a]\nrelease_disk_gb = "
    assert "warm pool keeps releases" in refusal(tmp_path, f"{disk}40\nwarm_pool = 1")
    assert "is 10: a disk needs 20" in refusal(tmp_path, f"{disk}10")
    assert "zones is 3, and there are 2" in refusal(tmp_path, f"{disk}40\nrelease_disk_zones = 3")
    assert "deploy.name" in refusal(tmp_path, 'name = "Too_Loud"')
    assert "deploy.name" in refusal(tmp_path, 'name = "a-name-of-more-than-20"')
    assert "deploy.pools.GPU" in refusal(tmp_path, "[deploy.pools.GPU]")
    assert "needs one" in refusal(tmp_path, "pools = {}")
    assert "deploy.region" in refusal(tmp_path, 'regoin = "eu-west-1"')


def test_a_control_machine_needs_a_name_that_scripts_can_bear(tmp_path: Path) -> None:
    given = 'control = true\ncontrol_domain = "bedside.ward.example"\n'
    assert read(tmp_path, given).deploy.control_machine == "t3.small"
    assert "needs control_domain" in refusal(tmp_path, "control = true")
    for name in ("localhost", "Ward.example", "a b.example", "x'$(id).example", "-a.example"):
        assert "deploy.control_domain" in refusal(tmp_path, f'control_domain = "{name}"'), name
    for cidr in ("192.0.2.1/24", "everybody", "::/0"):
        assert "deploy.control_cidrs" in refusal(tmp_path, f'control_cidrs = ["{cidr}"]'), cidr
    for kind in ("t4g.small", "m7gd.large", "small"):
        assert "deploy.control_machine" in refusal(tmp_path, f'control_machine = "{kind}"'), kind
    for kind in ("t3a.small", "m7i-flex.large", "g4dn.xlarge"):
        read(tmp_path, f'control_machine = "{kind}"')
    assert "call the pool otherwise" in refusal(tmp_path, f"{given}[deploy.pools.control]\n")
    for name in ("dead", "gpu-dead", "waker-failed"):
        assert "call the pool otherwise" in refusal(tmp_path, f"[deploy.pools.{name}]\n")
    assert "undead" in Settings.model_validate({"deploy": {"pools": {"undead": {}}}}).deploy.pools


def test_senders_are_named_and_do_not_cross_the_internet_in_the_clear(tmp_path: Path) -> None:
    given = 'control = true\ncontrol_domain = "bedside.ward.example"\n'
    ward = f'{given}dicom_from = ["203.0.113.7/32"]\n'
    assert read(tmp_path, ward).deploy.dicom_tls
    read(tmp_path, f'{given}dicom_from = ["10.20.0.0/16", "100.64.8.0/24"]\ndicom_tls = false\n')
    assert "203.0.113.7/32 in dicom_from is not private" in refusal(tmp_path, f"{ward}dicom_tls = false")
    assert "needs control = true" in refusal(tmp_path, 'dicom_from = ["10.0.0.0/8"]')
    assert "deploy.dicom_from" in refusal(tmp_path, f'{given}dicom_from = ["10.0.0.1/8"]')
    for port in (104, 8081):
        assert "dicom_port" in refusal(tmp_path, f"{ward}dicom_port = {port}")
    assert "deploy.dicom_client_ca" in refusal(tmp_path, f'{ward}dicom_client_ca = "/etc/ca.pem"')


def test_a_demand_for_certificates_is_not_lost_on_the_way_to_the_control_machine(tmp_path: Path) -> None:
    pem = "-----BEGIN CERTIFICATE-----\\nTUlJ\\n-----END CERTIFICATE-----\\n"
    given = 'control = true\ncontrol_domain = "bedside.ward.example"\ndicom_from = ["203.0.113.7/32"]\n'
    here = '[dicom]\ntls_certificate = "c.pem"\ntls_key = "k.pem"\ntls_client_ca = "ca.pem"\n'
    assert "give deploy.dicom_client_ca the same" in refusal(tmp_path, f"{given}{here}")
    assert read(tmp_path, f'{given}dicom_client_ca = "{pem}"\n{here}').deploy.dicom_client_ca


@pytest.mark.parametrize("name", ["", "clinic/models", "clinic@12/models@34"])
def test_both_ways_in_which_github_names_a_repository(tmp_path: Path, name: str) -> None:
    assert read(tmp_path, f'github_repository = "{name}"').deploy.github_repository == name


@pytest.mark.parametrize("name", ["clinic/*", "clinic@12/models", "clinic/models@34", "*", "clinic"])
def test_no_wildcard_and_no_half_of_a_name_lets_others_in(tmp_path: Path, name: str) -> None:
    assert "deploy.github_repository" in refusal(tmp_path, f'github_repository = "{name}"')


def test_a_table_that_is_refused_is_not_quoted_with_its_secrets(tmp_path: Path) -> None:
    url = "postgresql://b:hush@db/b"  # pragma: allowlist secret
    assert "hush" not in refusal(tmp_path, f'daily_usd = -1\nledger_url = "{url}"')


def test_the_ledgers_password_is_masked(tmp_path: Path) -> None:
    settings = read(tmp_path, 'ledger_url = "postgresql://b:hush@db/b"')
    lines = {line.key: line.value for line in shown(settings, {})}
    assert lines["deploy.ledger_url"] == "postgresql://b:***@db/b"


def test_true_and_false_in_the_environment(tmp_path: Path) -> None:
    assert read(tmp_path, "", {"BEDSIDE_DEPLOY_MFA": "true"}).deploy.mfa is True
    assert read(tmp_path, "", {"BEDSIDE_DEPLOY_MFA": "0"}).deploy.mfa is False
    with pytest.raises(ConfigError, match="expected true or false"):
        read(tmp_path, "", {"BEDSIDE_DEPLOY_MFA": "maybe"})
