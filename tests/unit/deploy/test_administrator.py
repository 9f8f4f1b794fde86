"""Whom the administrator's template lets in, and what it lets them do, by IAM's rule of evaluation."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import pytest

from bedside.deploy.workflows import ADMINISTRATOR
from bedside.deploy.workspace import MODULES

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


def allowed(action: str, resource: str, *, policy: str = "DeployPolicy", **context: str) -> bool:
    """Whether a policy of the template lets one: some statement allows it, and none denies it."""
    effects = set()
    for one in RESOURCES[policy]["Properties"]["PolicyDocument"]["Statement"]:
        if not matches(listed(one["Action"]), action):
            continue
        if "NotResource" in one and matches(listed(one["NotResource"]), resource):
            continue
        if "Resource" in one and not matches(listed(one["Resource"]), resource):
            continue
        conditions = one.get("Condition", {})
        if any(("prefix" in context) == (absent == "true") for absent in conditions.get("Null", {}).values()):
            continue
        wanted = conditions.get("StringEquals", {})
        if all(context.get(key.partition(":")[2]) in listed(values) for key, values in wanted.items()):
            effects.add(one["Effect"])
    return effects == {"Allow"}


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


#: Of the deployment's studies and results.
DATA = f"arn:aws:s3:::bedside-{ACCOUNT}-eu-west-1"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/github-bedside-machines"


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
        ("iam:CreatePolicyVersion", BOUNDARY),
        ("iam:DeletePolicy", BOUNDARY),
        ("iam:DeleteRolePermissionsBoundary", role("bedside-worker")),
        ("iam:AttachRolePolicy", role("admin")),
        ("iam:CreateRole", role("other-worker")),
        ("iam:PassRole", role("admin")),
        ("s3:GetObject", "arn:aws:s3:::payroll/january"),
        ("s3:GetObject", f"{DATA}/results/ward/x/result.json"),
        ("s3:PutObject", f"{DATA}/input/ward/study.zip"),
        ("s3:DeleteObject", f"{DATA}/inferred/ward/study.zip"),
        ("s3:GetObject", f"{STATE}/other/terraform.tfstate"),
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
        ("s3:ListBucket", DATA),
        ("s3:PutLifecycleConfiguration", DATA),
        ("s3:PutObject", f"{DATA}/software/0a1b.tar"),
        ("s3:PutObject", f"{STATE}/bedside/terraform.tfstate"),
        ("s3:DeleteObject", f"{STATE}/bedside/terraform.tfstate.tflock"),
    ],
)
def test_what_it_may(action: str, resource: str) -> None:
    assert allowed(action, resource, PassedToService="ec2.amazonaws.com", PermissionsBoundary=BOUNDARY)


@pytest.mark.parametrize(
    "action",
    ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"],
)
def test_it_gives_rights_only_to_roles_that_its_boundary_holds(action: str) -> None:
    assert allowed(action, role("bedside-worker"), PermissionsBoundary=BOUNDARY)
    assert not allowed(action, role("bedside-worker"))
    mine = f"arn:aws:iam::{ACCOUNT}:policy/bedside-all"
    assert not allowed(action, role("bedside-worker"), PermissionsBoundary=mine)


def test_it_changes_neither_itself_nor_the_boundary_whatever_the_deployment_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(VALUES, "DeploymentName", "github")
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/github-github-machines"
    assert allowed("iam:PutRolePolicy", role("github-worker"), PermissionsBoundary=boundary)
    assert not allowed("iam:PutRolePolicy", role("github-github-deploy"), PermissionsBoundary=boundary)
    assert not allowed("iam:UpdateAssumeRolePolicy", role("github-github-deploy"))
    assert not allowed("iam:CreatePolicyVersion", boundary)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/x"),
        ("iam:PutRolePolicy", role("bedside-worker")),
        ("iam:PassRole", role("bedside-worker")),
        ("sts:AssumeRole", role("admin")),
        ("ssm:SendCommand", "*"),
        ("s3:GetObject", "arn:aws:s3:::payroll/january"),
        ("ssm:GetParameter", f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/payroll/password"),
    ],
)
def test_what_no_machine_may_whatever_its_policy_says(action: str, resource: str) -> None:
    assert not allowed(action, resource, policy="Boundary", PassedToService="medical-imaging.amazonaws.com")


def test_the_boundary_holds_back_nothing_that_machines_need() -> None:
    """Each action in the modules' policies of machines, functions and imports."""
    places = {
        "s3": "arn:aws:s3:::bedside-1/input/x",
        "ssm": f"arn:aws:ssm:eu-west-1:{ACCOUNT}:parameter/bedside/ledger/url",
        "iam": role("bedside-import"),
    }
    text = "".join(
        file.read_text(encoding="utf-8")
        for module in ("machine", "workers", "control", "archive", "tenants")
        for file in (MODULES / "modules" / module).glob("*.tf")
    )
    documents = re.findall(r'^data "aws_iam_policy_document".*?^}', text, re.MULTILINE | re.DOTALL)
    # Without the keys of conditions, which look like actions.
    lines = [line for line in "".join(documents).splitlines() if " variable " not in line]
    named = re.findall(r'"([a-z0-9-]+:[A-Z][A-Za-z]+)"', " ".join(lines))
    needed = {action for action in named if action.partition(":")[0] not in ("aws", "sts")}
    assert {"s3:GetObject", "iam:PassRole", "ec2:AssociateAddress"} <= needed
    refused = {
        action
        for action in needed
        if not allowed(
            action,
            places.get(action.partition(":")[0], "*"),
            policy="Boundary",
            PassedToService="medical-imaging.amazonaws.com",
        )
    }
    assert refused == set()


def test_every_role_that_a_workflow_makes_has_the_boundary() -> None:
    """But the one of module ci, which a person makes."""
    made = 0
    for file in (MODULES / "modules").glob("*/*.tf"):
        for block in re.findall(
            r'^resource "aws_iam_role" .*?^}', file.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            made += 1
            assert ("var.boundary_arn" in block) == (file.parent.name != "ci"), file
    assert made == 5
    root = (MODULES / "main.tf").read_text(encoding="utf-8")
    for module in ("workers", "control", "archive"):
        (block,) = re.findall(rf'^module "{module}" .*?^}}', root, re.MULTILINE | re.DOTALL)
        assert re.search(r"boundary_arn += var.boundary_arn", block), module


def test_what_the_bucket_holds_is_not_listed() -> None:
    assert not allowed("s3:ListBucket", DATA, prefix="input/")
    assert allowed("s3:ListBucket", STATE, prefix="bedside/"), "Terraform looks for its state"


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
    assert set(TEMPLATE["Outputs"]) == {"Role", "Boundary", "Region", "StateBucketName"}
    for one in (*TEMPLATE["Parameters"].values(), *TEMPLATE["Outputs"].values()):
        assert one["Description"]
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert {name for group in groups for name in group["Parameters"]} == set(TEMPLATE["Parameters"])
