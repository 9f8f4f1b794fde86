"""A whole deployment where signatures, TLS and policies are checked, for the tests about who may what.

The emulator is ministack, completed by `ministack_gaps`, so that nothing is left out, a second plan can be
demanded to be empty, and nothing is left when the deployment is gone.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clouds import REGION
from guarded_cloud import GuardedCloud, run_ministack
from leftovers import listed
from terraform import Terraform, Underway, root
from wishes import NAME, WISHES

if TYPE_CHECKING:
    from bedside.deploy.record import Proof
    from bedside.deploy.runner import Held

#: Whose the emulator is.
ACCOUNT = "000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an emulator tells of a deployment.

    Attributes:
        proof: By tag, and by asking for all that Terraform made, as `bedside deploy destroy` asks.
        listed: By asking each service for everything, without what was there before.
    """

    proof: "Proof"
    listed: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A deployment where policies are checked.

    Attributes:
        keys: Of whoever deployed it.
        before: What the emulator held before: it has a network of its own, as every account.
        made: What the state held once all was made.
    """

    cloud: GuardedCloud
    keys: tuple[str, str]
    terraform: Terraform
    outputs: dict[str, Any]
    before: frozenset[str]
    made: "tuple[Held, ...]"

    def role(self, name: str) -> tuple[str, str, str]:
        """Be one of the deployment's roles: its own policies decide, only that it is put on is permitted."""
        iam, sts = self.cloud.client("iam"), self.cloud.client("sts")
        role = iam.get_role(RoleName=name)["Role"]
        arn, own = role["Arn"], json.dumps(role["AssumeRolePolicyDocument"])
        us = {"AWS": f"arn:aws:iam::{arn.split(':')[4]}:root"}
        trust = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": us, "Action": "sts:AssumeRole"}],
        }
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=own)
        return keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]

    def told(self) -> Told:
        """Ask what there is of it."""
        from bedside.deploy.record import proof
        from bedside.wiring.cloud import open_cloud

        with self._in_environment():
            found = proof(open_cloud(REGION), NAME, self.made)
        return Told(proof=found, listed=listed(self.cloud.client, ACCOUNT) - self.before)

    def destroy(self) -> Underway:
        """Begin to destroy it, its bucket first, as `bedside deploy destroy` does."""
        from bedside.wiring.cloud import open_cloud

        with self._in_environment():
            open_cloud(REGION).empty_bucket(self.outputs["bucket"])
        return self.terraform.begin("destroy", "-auto-approve", "-input=false")

    @contextmanager
    def _in_environment(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as monkeypatch:
            for name, value in self.cloud.environment(self.keys).items():
                monkeypatch.setenv(name, value)
            yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarding:
    """A deployment that is being made where policies are checked."""

    cloud: GuardedCloud
    keys: tuple[str, str]
    before: frozenset[str]
    terraform: Terraform
    underway: Underway

    def end(self) -> Guarded:
        """Return it once it is whole."""
        from bedside.deploy import runner

        self.underway.end()
        terraform = self.terraform
        program = runner.find_terraform(terraform.environment)
        ours = runner.Terraform(program=program, folder=terraform.folder, environment=terraform.environment)
        return Guarded(
            cloud=self.cloud,
            keys=self.keys,
            terraform=terraform,
            outputs=terraform.outputs(),
            before=self.before,
            made=tuple(ours.held()),
        )


@contextmanager
def run_guarded(folder: Path) -> Iterator[Guarding]:
    """Begin to apply everything, and keep it until the block ends.

    Whoever applies has the policies that `bedside deploy permissions` writes, and no other.
    """
    with run_ministack(folder, tls=True) as cloud:
        keys = _deployer(cloud)
        emulator = {**cloud.environment(keys), "AWS_REGION": REGION}
        # Machines without the right to make tenants: test_tenants_module has those with it.
        terraform = root(folder / "root", {**WISHES, "manage_tenants": False}, emulator=emulator)
        before = listed(cloud.client, ACCOUNT)
        underway = terraform.begin("apply", "-auto-approve", "-input=false")
        try:
            yield Guarding(cloud=cloud, keys=keys, before=before, terraform=terraform, underway=underway)
        finally:
            underway.stop()


def _deployer(cloud: GuardedCloud) -> tuple[str, str]:
    """Make a user who may do what is written for this deployment."""
    from bedside.config import DeploySettings
    from bedside.deploy.grants import Where, packed, permissions

    told = {
        name: wish for name, wish in WISHES.items() if name in DeploySettings.model_fields and name != "pools"
    }
    written = packed(permissions(DeploySettings.model_validate(told), Where(account=ACCOUNT, region=REGION)))
    keys = cloud.user("eva")
    for number, policy in enumerate(written):
        cloud.client("iam").put_user_policy(
            UserName="eva", PolicyName=f"bedside-{number}", PolicyDocument=json.dumps(policy)
        )
    return keys
