"""Whom the administrator's template lets in, and what it lets them do, by IAM's rule of evaluation."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import pytest

from bedside.deploy.workflows import ADMINISTRATOR

cfn_yaml = pytest.importorskip("cfnlint.decode.cfn_yaml")

ACCOUNT = "123456789012"
STATE = "arn:aws:s3:::bedside-state-123456789012-eu-west-1"
VALUES = {
    "AWS::Partition": "aws",
    "AWS::AccountId": ACCOUNT,
    "DeploymentName": "bedside",
    "Repository": "clinic@1/models@2",
    "Branch": "main",
    "Environment": "production",
    "StateBucket.Arn": STATE,
}
TEMPLATE = cfn_yaml.load(str(ADMINISTRATOR))
RESOURCES = TEMPLATE["Resources"]


def filled(value: Any) -> Any:
    """Return a value of the template as CloudFormation would, for what the policies use."""
    if isinstance(value, list):
        return [filled(one) for one in value]
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        return re.sub(r"\$\{([^}]+)\}", lambda found: VALUES[found[1]], value["Fn::Sub"])
    if isinstance(value, dict) and set(value) == {"Fn::GetAtt"}:
        return VALUES[".".join(value["Fn::GetAtt"])]
    return value


def listed(value: Any) -> list[str]:
    value = filled(value)
    return value if isinstance(value, list) else [value]


def matches(patterns: Iterable[str], value: str) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def allowed(action: str, resource: str, **context: str) -> bool:
    """Whether the deploy role may: some statement allows it, and none denies it."""
    effects = set()
    for one in RESOURCES["DeployPolicy"]["Properties"]["PolicyDocument"]["Statement"]:
        if not matches(listed(one["Action"]), action):
            continue
        if "NotResource" in one and matches(listed(one["NotResource"]), resource):
            continue
        if "Resource" in one and not matches(listed(one["Resource"]), resource):
            continue
        wanted = one.get("Condition", {}).get("StringEquals", {})
        if all(context.get(key.partition(":")[2]) in listed(values) for key, values in wanted.items()):
            effects.add(one["Effect"])
    return effects == {"Allow"}


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def test_one_branch_and_one_environment_of_one_repository_are_trusted() -> None:
    (statement,) = RESOURCES["DeployRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    (operator,) = statement["Condition"]
    assert operator == "StringEquals"
    prefix = "token.actions.githubusercontent.com"
    wanted = statement["Condition"]["StringEquals"]
    assert wanted[f"{prefix}:aud"] == "sts.amazonaws.com"
    assert filled(wanted[f"{prefix}:sub"]) == [
        "repo:clinic@1/models@2:ref:refs/heads/main",
        "repo:clinic@1/models@2:environment:production",
    ]


@pytest.mark.parametrize("name", ["clinic/models", "clinic@1234/models@99", "a-b/c.d_e"])
def test_both_ways_in_which_github_names_a_repository(name: str) -> None:
    assert re.fullmatch(TEMPLATE["Parameters"]["Repository"]["AllowedPattern"], name)


@pytest.mark.parametrize("name", ["clinic/*", "*", "clinic", "clinic@1/models", "clinic/models:ref", "a/b c"])
def test_no_wildcard_lets_another_repository_in(name: str) -> None:
    assert not re.fullmatch(TEMPLATE["Parameters"]["Repository"]["AllowedPattern"], name)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/bedside-x"),
        ("iam:CreateAccessKey", f"arn:aws:iam::{ACCOUNT}:user/bedside-x"),
        ("iam:AddUserToGroup", f"arn:aws:iam::{ACCOUNT}:group/admins"),
        ("iam:CreateLoginProfile", f"arn:aws:iam::{ACCOUNT}:user/bedside-x"),
        ("iam:UpdateOpenIDConnectProviderThumbprint", f"arn:aws:iam::{ACCOUNT}:oidc-provider/x"),
        ("iam:PutRolePolicy", role("github-bedside-deploy")),
        ("iam:UpdateAssumeRolePolicy", role("github-bedside-deploy")),
        ("iam:AttachRolePolicy", role("admin")),
        ("iam:CreateRole", role("other-worker")),
        ("iam:PassRole", role("admin")),
        ("s3:GetObject", "arn:aws:s3:::payroll/january"),
        ("s3:PutBucketVersioning", STATE),
        ("s3:DeleteBucket", STATE),
        ("organizations:LeaveOrganization", "*"),
        ("sts:AssumeRole", role("admin")),
    ],
)
def test_what_the_deploy_role_may_not(action: str, resource: str) -> None:
    assert not allowed(action, resource, PassedToService="ec2.amazonaws.com")


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:CreateRole", role("bedside-worker")),
        ("iam:PassRole", role("bedside-worker")),
        ("iam:GetRole", role("admin")),
        ("iam:CreateInstanceProfile", f"arn:aws:iam::{ACCOUNT}:instance-profile/bedside-worker"),
        ("ecr:PutImage", f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/bedside"),
        ("autoscaling:CreateAutoScalingGroup", "*"),
        ("s3:CreateBucket", "arn:aws:s3:::bedside-data"),
        ("s3:PutObject", f"{STATE}/bedside/terraform.tfstate"),
        ("s3:DeleteObject", f"{STATE}/bedside/terraform.tfstate.tflock"),
    ],
)
def test_what_it_may(action: str, resource: str) -> None:
    assert allowed(action, resource, PassedToService="ec2.amazonaws.com")


def test_a_role_is_passed_to_services_of_the_deployment_only() -> None:
    assert not allowed("iam:PassRole", role("bedside-worker"), PassedToService="glue.amazonaws.com")


def test_the_state_is_versioned_encrypted_private_and_over_tls() -> None:
    bucket = RESOURCES["StateBucket"]
    properties = bucket["Properties"]
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (statement,) = RESOURCES["StateBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert listed(statement["Resource"]) == [STATE, f"{STATE}/*"]


def test_every_parameter_and_output_says_what_it_is() -> None:
    assert set(TEMPLATE["Outputs"]) == {"Role", "Region", "StateBucketName"}
    for one in (*TEMPLATE["Parameters"].values(), *TEMPLATE["Outputs"].values()):
        assert one["Description"]
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert {name for group in groups for name in group["Parameters"]} == set(TEMPLATE["Parameters"])
