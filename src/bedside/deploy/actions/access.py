"""Who may do what, and what is nobody's: roles, sign-in, secrets, budgets, and facts of the account."""

from collections.abc import Mapping

from bedside.deploy.actions.grant import (
    DOCUMENT,
    PARAMETER,
    POOL,
    ROLE,
    Grant,
)

ACTIONS: Mapping[str, tuple[Grant, ...]] = {
    "aws_budgets_budget": (
        Grant(
            "budgets",
            "ViewBudget ModifyBudget ListTagsForResource TagResource UntagResource",
            "budgets::{account}:budget/{name}-*",
        ),
    ),
    "aws_caller_identity": (Grant("sts", "GetCallerIdentity"),),
    "aws_cognito_user_group": (Grant("cognito-idp", "CreateGroup GetGroup UpdateGroup DeleteGroup", POOL),),
    "aws_cognito_user_pool": (
        Grant("cognito-idp", "CreateUserPool"),
        Grant(
            "cognito-idp",
            "DescribeUserPool UpdateUserPool DeleteUserPool GetUserPoolMfaConfig SetUserPoolMfaConfig "
            "ListTagsForResource TagResource UntagResource",
            POOL,
        ),
    ),
    "aws_cognito_user_pool_client": (
        Grant(
            "cognito-idp",
            "CreateUserPoolClient DescribeUserPoolClient UpdateUserPoolClient DeleteUserPoolClient",
            POOL,
        ),
    ),
    "aws_iam_instance_profile": (
        Grant(
            "iam",
            "CreateInstanceProfile GetInstanceProfile DeleteInstanceProfile AddRoleToInstanceProfile "
            "RemoveRoleFromInstanceProfile TagInstanceProfile UntagInstanceProfile",
            "iam::{account}:instance-profile/{name}-*",
        ),
    ),
    "aws_iam_openid_connect_provider": (
        Grant(
            "iam",
            "CreateOpenIDConnectProvider GetOpenIDConnectProvider DeleteOpenIDConnectProvider "
            "UpdateOpenIDConnectProviderThumbprint AddClientIDToOpenIDConnectProvider "
            "RemoveClientIDFromOpenIDConnectProvider TagOpenIDConnectProvider UntagOpenIDConnectProvider",
            "iam::{account}:oidc-provider/token.actions.githubusercontent.com",
        ),
    ),
    "aws_iam_policy_document": (),
    "aws_iam_role": (
        Grant(
            "iam",
            "CreateRole GetRole UpdateRole UpdateAssumeRolePolicy DeleteRole ListRolePolicies "
            "ListAttachedRolePolicies ListInstanceProfilesForRole TagRole UntagRole ListRoleTags PassRole "
            "PutRolePermissionsBoundary DeleteRolePermissionsBoundary",
            ROLE,
        ),
    ),
    "aws_iam_role_policy": (Grant("iam", "PutRolePolicy GetRolePolicy DeleteRolePolicy", ROLE),),
    "aws_iam_role_policy_attachment": (
        Grant("iam", "AttachRolePolicy DetachRolePolicy ListAttachedRolePolicies", ROLE),
    ),
    "aws_partition": (),
    "aws_region": (),
    "aws_secretsmanager_random_password": (Grant("secretsmanager", "GetRandomPassword"),),
    "aws_ssm_document": (
        Grant(
            "ssm",
            "CreateDocument DescribeDocument DescribeDocumentPermission GetDocument UpdateDocument "
            "UpdateDocumentDefaultVersion DeleteDocument ListTagsForResource AddTagsToResource "
            "RemoveTagsFromResource",
            DOCUMENT,
        ),
    ),
    "aws_ssm_parameter": (
        Grant(
            "ssm",
            "PutParameter GetParameter GetParameters DeleteParameter ListTagsForResource AddTagsToResource "
            "RemoveTagsFromResource",
            f"{PARAMETER} ssm:{{region}}::parameter/aws/service/*",
        ),
        Grant("ssm", "DescribeParameters"),
    ),
}
