"""The module of GitHub's workflows: whose tokens its role takes, where the account trusts GitHub already.

moto keeps the trust policy and refuses a second provider as IAM does; that STS compares tokens with it is
AWS's.
"""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from bedside.deploy.actions import ACTIONS, DATASTORE
from bedside.deploy.grants import types_by_part
from clouds import REGION, Cloud
from terraform import Terraform, copy_of_modules, environment

URL = "https://token.actions.githubusercontent.com"
CLAIM = "token.actions.githubusercontent.com:sub"
REPOSITORY = f"arn:aws:ecr:{REGION}:123456789012:repository/clinic"
KEY = f"arn:aws:kms:{REGION}:123456789012:key/made-up"
#: Before a bucket is removed; and what the provider reads with the role itself.
NOT_READ = {"s3:ListBucketVersions", "iam:ListRoleTags"}


def _ci(source: Path, name: str, repository: str, provider: str) -> dict[str, str]:
    return {
        "source": str(source),
        "name": name,
        "github_repository": repository,
        "oidc_provider_arn": provider,
        "repository_arn": REPOSITORY,
        "key_arn": KEY,
    }


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _allowed(policies: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the patterns of allowed actions, each with the resources it is allowed on."""
    found: dict[str, list[str]] = {}
    for statement in (each for policy in policies for each in policy["Statement"]):
        if statement["Effect"] == "Allow":
            for action in _listed(statement["Action"]):
                found.setdefault(action, []).extend(_listed(statement["Resource"]))
    return found


@pytest.mark.needs("terraform")
def test_a_provider_that_is_there_is_used_and_both_names_of_a_repository_are_taken(
    tmp_path: Path, moto: Cloud
) -> None:
    iam = moto.client("iam")
    # As the administrator's CloudFormation stack leaves it.
    existing = iam.create_open_id_connect_provider(Url=URL, ClientIDList=["sts.amazonaws.com"])
    provider = existing["OpenIDConnectProviderArn"]
    source = copy_of_modules(tmp_path / "all") / "modules" / "ci"
    root = tmp_path / "root"
    root.mkdir()
    document = {
        "provider": {"aws": {"region": REGION, "skip_metadata_api_check": True}},
        "module": {
            "numbered": _ci(source, "numbered", "hospital@1234/spleen@5678", provider),
            "named": _ci(source, "named", "hospital/spleen", provider),
        },
    }
    (root / "main.tf.json").write_text(json.dumps(document))
    terraform = Terraform(folder=root, environment=environment(root, moto.environment))
    terraform.run("init", "-input=false")
    terraform.run("apply", "-input=false", "-auto-approve")
    try:
        held = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
        assert [item["Arn"] for item in held] == [provider]
        for name, repository in (("numbered", "hospital@1234/spleen@5678"), ("named", "hospital/spleen")):
            role = iam.get_role(RoleName=f"{name}-ci")["Role"]
            (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
            assert statement["Principal"] == {"Federated": provider}
            subjects = statement["Condition"]["StringLike"][CLAIM]
            assert subjects == [
                f"repo:{repository}:ref:refs/heads/*",
                f"repo:{repository}:ref:refs/tags/*",
                f"repo:{repository}:environment:*",
            ]
        release, deploy = (
            iam.get_role_policy(RoleName="numbered-ci", PolicyName=name)["PolicyDocument"]
            for name in ("release", "deploy")
        )
        allowed = _allowed([release, deploy])
        grants = [grant for kinds in types_by_part().values() for kind in kinds for grant in ACTIONS[kind]]
        read = {
            f"{grant.service}:{action}"
            for grant in (*grants, *DATASTORE)
            for action in grant.actions.split()
            if re.match("Get|List|Describe|View", action)
        }
        # What a person's plan reads a workflow's plan reads too: one right that is missing ends it.
        unread = {action for action in read if not any(fnmatchcase(action, each) for each in allowed)}
        assert unread == NOT_READ
        # A new archive of software is another template, whose image, subnets and tags the group asks for.
        assert f"arn:aws:ssm:{REGION}::parameter/aws/service/*" in allowed["ssm:GetParameters"]
        assert any(resource.endswith(":subnet/*") for resource in allowed["ec2:RunInstances"])
        assert "ec2:CreateTags" in allowed
        assert allowed["kms:Decrypt"] == [KEY]
        # Commands of bedside, by its one document, on machines of the deployment.
        sending = [
            (each["Resource"], each.get("Condition"))
            for each in deploy["Statement"]
            if "ssm:SendCommand" in each["Action"]
        ]
        own = f"{REGION}:123456789012"
        tag = {"StringEquals": {"ssm:resourceTag/bedside:deployment": "numbered"}}
        assert sending == [
            (f"arn:aws:ssm:{own}:document/numbered-run", None),
            (f"arn:aws:ec2:{own}:instance/*", tag),
        ]
        asking = {"ssm:GetCommandInvocation", "ssm:CancelCommand", "ssm:DescribeInstanceInformation"}
        assert asking | {"autoscaling:SetDesiredCapacity"} <= set(allowed)
        size = sum(len(json.dumps(policy, separators=(",", ":"))) for policy in (release, deploy))
        assert size <= 10_240  # of all policies that are written into one role
    finally:
        # moto's account is shared by all tests, and a provider is one per account.
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
