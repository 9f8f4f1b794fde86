"""The module of GitHub's workflows: whose tokens its role takes, where the account trusts GitHub already.

moto keeps the trust policy and refuses a second provider as IAM does; that STS compares tokens with it is
AWS's.
"""

import json
from pathlib import Path

import pytest

from clouds import REGION, Cloud
from terraform import Terraform, copy_of_modules, environment

URL = "https://token.actions.githubusercontent.com"
CLAIM = "token.actions.githubusercontent.com:sub"
REPOSITORY = f"arn:aws:ecr:{REGION}:123456789012:repository/clinic"


def _ci(source: Path, name: str, repository: str, provider: str) -> dict[str, str]:
    return {
        "source": str(source),
        "name": name,
        "github_repository": repository,
        "oidc_provider_arn": provider,
        "repository_arn": REPOSITORY,
    }


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
    finally:
        # moto's account is shared by all tests, and a provider is one per account.
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
