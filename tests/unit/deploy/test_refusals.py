"""AWS's refusals, as its services and Terraform's provider word them."""

import pytest

from bedside.deploy.permissions import refusal_in

WHO = "arn:aws:sts::123456789012:assumed-role/deployer/eva"

IAM = (
    "creating IAM Role (b-worker): operation error IAM: CreateRole, https response error StatusCode: 403, "
    f"RequestID: 1, api error AccessDenied: User: {WHO} is not authorized to perform: iam:CreateRole on "
    "resource: arn:aws:iam::123456789012:role/b-worker because no identity-based policy allows the "
    "iam:CreateRole action"
)
EC2 = (
    "creating EC2 VPC: operation error EC2: CreateVpc, https response error StatusCode: 403, api error "
    "UnauthorizedOperation: You are not authorized to perform this operation. User: "
    "arn:aws:iam::123456789012:user/eva is not authorized to perform: ec2:CreateVpc on resource: "
    "arn:aws:ec2:eu-west-1:123456789012:vpc/* because no identity-based policy allows the ec2:CreateVpc "
    "action. Encoded authorization failure message: abc"
)
DENIED = f"User: {WHO} is not authorized to perform: s3:CreateBucket with an explicit deny in a policy"
S3 = (
    "reading S3 Bucket (b): operation error S3: HeadBucket, https response error\nStatusCode: 403, "
    "RequestID: 1, HostID: 2, api error AccessDenied: Access Denied"
)
LOGS = (
    "operation error CloudWatch Logs: CreateLogGroup, https response error StatusCode: 400, "
    "AccessDeniedException: no"
)


@pytest.mark.parametrize(
    ("text", "action", "resource", "message"),
    [
        (
            IAM,
            "iam:CreateRole",
            "arn:aws:iam::123456789012:role/b-worker",
            "role deployer is not allowed iam:CreateRole on arn:aws:iam::123456789012:role/b-worker",
        ),
        (
            EC2,
            "ec2:CreateVpc",
            "arn:aws:ec2:eu-west-1:123456789012:vpc/*",
            "user eva is not allowed ec2:CreateVpc",
        ),
        (S3, "s3:ListBucket", "", "role deployer is not allowed s3:ListBucket: no policy"),
        (LOGS, "logs:CreateLogGroup", "", "role deployer is not allowed logs:CreateLogGroup"),
    ],
)
def test_what_is_missing_for_whom_and_how_it_is_given(
    text: str, action: str, resource: str, message: str
) -> None:
    refusal = refusal_in(text, who=WHO)
    assert refusal is not None
    assert (refusal.action, refusal.resource) == (action, resource)
    assert refusal.message.startswith(message)
    on = f" --resource {resource}" if resource else ""
    assert f"bedside deploy policy --allow {action}{on} > missing.json" in refusal.fix


def test_a_role_and_a_user_are_given_it_by_different_commands() -> None:
    role, user = refusal_in(IAM), refusal_in(EC2)
    assert role and "aws iam put-role-policy --role-name deployer " in role.fix
    assert user and "aws iam put-user-policy --user-name eva " in user.fix


def test_an_express_denial_is_not_answered_with_an_allow() -> None:
    refusal = refusal_in(DENIED)
    assert refusal and refusal.denied
    assert "--allow" not in refusal.fix and "does not outweigh" in refusal.fix


@pytest.mark.parametrize("text", ["", "BucketNotEmpty: not empty", "operation error S3: PutObject, SlowDown"])
def test_other_errors_are_left_alone(text: str) -> None:
    assert refusal_in(text) is None
