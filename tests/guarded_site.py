"""A whole deployment where signatures, TLS and policies are checked, for the tests about who may what.

ministack knows neither a database without docker nor three calls; what is left out for that stands in
`LEFT_OUT` and in docs/aws.md.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clouds import REGION
from guarded_cloud import GuardedCloud, run_ministack
from terraform import Terraform, Underway, root
from wishes import NAME, WISHES

# An RDS machine would be a container; the URL of a database that exists stands for it.
_URL = "postgresql://bedside:made-up@ledger.example:5432/bedside"  # pragma: allowlist secret
LEDGER = {"ledger_url": _URL}
# Metrics of groups and what a group leaves alone: EnableMetricsCollection, SuspendProcesses.
_GROUP: Mapping[str, object] = {"enabled_metrics": [], "suspended_processes": []}
#: Changes of modules for calls that ministack lacks: those above, and CreateDocument of Systems Manager.
LEFT_OUT: Mapping[str, object] = {
    "workers": {"resource": {"aws_autoscaling_group": {"pool": _GROUP}}},
    "control": {"resource": {"aws_autoscaling_group": {"this": _GROUP}}},
    "commands": {
        "resource": {"aws_ssm_document": {"run": {"count": 0}}},
        "output": {"document": {"value": f"{NAME}-run"}},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarding:
    """A deployment that is being made where policies are checked."""

    cloud: GuardedCloud
    terraform: Terraform
    underway: Underway


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """A deployment where policies are checked."""

    cloud: GuardedCloud
    outputs: dict[str, Any]

    def role(self, name: str) -> tuple[str, str, str]:
        """Be one of the deployment's roles: its own policies decide, only who may put it on is widened."""
        iam, sts = self.cloud.client("iam"), self.cloud.client("sts")
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
        us = {"AWS": f"arn:aws:iam::{arn.split(':')[4]}:root"}
        trust = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": us, "Action": "sts:AssumeRole"}],
        }
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        return keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]


@contextmanager
def run_guarded(folder: Path) -> Iterator[Guarding]:
    """Begin to apply everything that the emulator knows, and keep it until the block ends."""
    with run_ministack(folder, tls=True) as cloud:
        emulator = {**cloud.environment(), "AWS_REGION": REGION}
        # Machines without the right to make tenants: test_tenants_module has those with it.
        wishes = {**WISHES, **LEDGER, "manage_tenants": False}
        terraform = root(folder / "root", wishes, emulator=emulator)
        for module, change in LEFT_OUT.items():
            target = terraform.folder / "modules" / module / "emulator_override.tf.json"
            target.write_text(json.dumps(change))
        underway = terraform.begin("apply", "-auto-approve", "-input=false")
        try:
            yield Guarding(cloud=cloud, terraform=terraform, underway=underway)
        finally:
            underway.stop()
