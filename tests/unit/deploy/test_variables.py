"""Settings as variables of the root module."""

import json
import re
from typing import cast

import pytest
from pydantic import ValidationError

from bedside.config import DeploySettings, NightSettings, PoolSettings
from bedside.config.deploy import NAME, NAME_CHARACTERS, POOL, RESERVED
from bedside.deploy.site import asleep
from bedside.deploy.variables import state_bucket, state_key, tfvars
from bedside.deploy.workspace import MODULES
from bedside.errors import NotFound
from bedside.ports.cloud import Cloud, Group


def test_every_key_is_a_variable_but_what_terraform_cannot() -> None:
    settings = DeploySettings(
        name="ward",
        cors_origins=("https://a",),
        pools={"gpu": PoolSettings(max=3)},
        night=NightSettings(stop="0 20 * * *", start="0 5 * * *"),
        state_bucket="mine",
    )
    variables = json.loads(json.dumps(tfvars(settings, region="eu-west-1")))
    assert "blob_mounting" not in variables
    assert variables["state_bucket"] == "mine", "workflows may read the state where it is"
    assert (variables["name"], variables["region"]) == ("ward", "eu-west-1")
    assert variables["cors_origins"] == ["https://a"]
    assert variables["pools"]["gpu"] == {
        "instance_types": ["g4dn.xlarge"],
        "gpu": True,
        "max": 3,
        "spot": False,
        "warm_pool": 0,
        "idle_s": 300,
        "permitted_wait_s": 0,
        "start_s": None,
        "disk_gb": 100,
        "release_disk_gb": 0,
        "release_disk_zones": 1,
    }
    assert variables["night"] == {"stop": "0 20 * * *", "start": "0 5 * * *"}


def test_machines_have_their_prices_by_pool_and_spot_its_own() -> None:
    pools = {
        "gpu": PoolSettings(instance_types=("g4dn.xlarge", "x9.huge"), spot=True),
        "cpu": PoolSettings(instance_types=("c7i.xlarge",), gpu=False),
    }
    known = tfvars(DeploySettings(pools=pools), region="us-east-1")["machine_usd_per_h"]
    assert known == {"gpu": {"g4dn.xlarge": 0.21}, "cpu": {"c7i.xlarge": 0.1785}}
    assert tfvars(DeploySettings(pools=pools), region="il-central-1")["machine_usd_per_h"] == {
        "gpu": {},
        "cpu": {},
    }


def test_where_the_state_is() -> None:
    assert state_bucket(DeploySettings(), account="1", region="r") == "bedside-state-1-r"
    assert state_bucket(DeploySettings(state_bucket="mine"), account="1", region="r") == "mine"
    assert state_key("ward") == "ward/terraform.tfstate"


@pytest.mark.skipif(not (MODULES / "variables.tf").exists(), reason="the root module is not there")
def test_the_root_module_has_just_these_variables() -> None:
    text = (MODULES / "variables.tf").read_text(encoding="utf-8")
    declared = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    assert declared - {"waker_zip", "asleep", "machine_identity"} == set(tfvars(DeploySettings(), region="r"))


class Groups:
    """An account with groups of these maxima."""

    def __init__(self, **most: int) -> None:
        self.most = most

    def group(self, name: str) -> Group:
        if name not in self.most:
            raise NotFound(f"no group {name}")
        return Group(desired=0, in_service=0, max=self.most[name])


def test_a_pool_whose_night_it_is_is_left_asleep() -> None:
    cloud = cast(Cloud, Groups(**{"ward-gpu": 0, "ward-cpu": 2}))
    pools = {"gpu": PoolSettings(), "cpu": PoolSettings(), "new": PoolSettings()}
    night = NightSettings(stop="0 20 * * *", start="0 5 * * *")
    assert asleep(cloud, DeploySettings(name="ward", pools=pools, night=night)) == ["gpu"]
    # Whoever gives the night up wants machines, also where the last one has not ended.
    assert asleep(cloud, DeploySettings(name="ward", pools=pools)) == []


@pytest.mark.parametrize("name", ["ward-", "ward--2", "aws-ward", "ssm", "w" * 21])
def test_a_name_that_aws_would_refuse_in_the_middle_of_an_apply_is_refused_before(name: str) -> None:
    with pytest.raises(ValidationError):
        DeploySettings(name=name)
    rule = (MODULES / "variables.tf").read_text(encoding="utf-8")
    assert all(part in rule for part in (NAME, f"<= {NAME_CHARACTERS}", f"^({'|'.join(RESERVED)})"))


def test_each_module_takes_the_names_that_the_settings_take() -> None:
    root = (MODULES / "variables.tf").read_text(encoding="utf-8")
    (rule,) = re.findall(r"condition .*var\.name\b.*\n.*error_message.*", root)
    for folder in sorted((MODULES / "modules").iterdir()):
        text = (folder / "variables.tf").read_text(encoding="utf-8")
        assert re.findall(r"condition .*var\.name\b.*\n.*error_message.*", text) == [rule], folder.name
    workers = (MODULES / "modules" / "workers" / "variables.tf").read_text(encoding="utf-8")
    assert all(f'regex("{POOL}", pool)' in text for text in (root, workers))


@pytest.mark.parametrize("url", ["", "http://ca.example/acme", "https://ca.example/'; reboot'"])
def test_an_authority_of_certificates_is_an_address_that_may_stand_in_a_script(url: str) -> None:
    with pytest.raises(ValidationError):
        DeploySettings(control_acme_server=url)
    text = (MODULES / "modules" / "control" / "variables.tf").read_text(encoding="utf-8")
    default = DeploySettings().control_acme_server
    assert f'regex("{DeploySettings.model_fields["control_acme_server"].metadata[0].pattern}"' in text
    assert text.count(f'default     = "{default}"') == 1
    assert f'default     = "{default}"' in (MODULES / "variables.tf").read_text(encoding="utf-8")


def test_a_pool_may_not_take_the_name_of_the_queue_of_what_arrives() -> None:
    DeploySettings(pools={"events": PoolSettings()})  # its queue is that one
    with pytest.raises(ValidationError, match=r"pools\.events"):
        DeploySettings(pools={"default": PoolSettings(), "events": PoolSettings()})
