"""Terraform run for real on a module that needs no provider: plan, progress, apply, errors, destroy."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bedside.deploy.diagnosis import error_of
from bedside.deploy.plan import Action
from bedside.deploy.runner import Terraform, find_terraform
from bedside.deploy.workspace import BACKEND, RemoteState, prepare
from bedside.errors import ConfigError, Unavailable

ROOT = """
variable "name" { type = string }
variable "word" {
  type    = string
  default = "one"
}
module "storage" {
  source = "./modules/storage"
  word   = var.word
}
resource "terraform_data" "own" { input = var.name }
output "name" { value = terraform_data.own.output }
"""
STORAGE = """
variable "word" { type = string }
resource "terraform_data" "kept" { input = var.word }
resource "terraform_data" "replaced" { triggers_replace = var.word }
"""


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    root = tmp_path / "modules-source"
    (root / "modules" / "storage").mkdir(parents=True)
    (root / "main.tf").write_text(ROOT)
    (root / "modules" / "storage" / "main.tf").write_text(STORAGE)
    return root


def opened(tmp_path: Path, modules: Path, **variables: object) -> Terraform:
    folder = tmp_path / "work"
    prepare(folder, variables={"name": "ward", **variables}, state=None, modules=modules)
    terraform = Terraform(program=find_terraform(os.environ), folder=folder, environment=os.environ)
    terraform.init()
    return terraform


@pytest.mark.needs("terraform")
def test_from_nothing_and_back_to_nothing(tmp_path: Path, modules: Path) -> None:
    terraform = opened(tmp_path, modules)
    plan = terraform.plan()
    assert [(c.part, c.called, c.action) for c in plan.changes] == [
        ("storage", "kept", Action.MAKE),
        ("storage", "replaced", Action.MAKE),
        ("", "own", Action.MAKE),
    ]
    events: list[tuple[str, Mapping[str, Any]]] = []
    terraform.apply(lambda kind, event: events.append((kind, event)))
    done = [e["hook"]["resource"]["addr"] for kind, e in events if kind == "apply_complete"]
    assert sorted(done) == sorted(c.address for c in plan.changes)
    assert not list(terraform.folder.glob("*.tfplan")), "a plan holds variables, and is kept no longer"
    assert terraform.outputs() == {"name": "ward"}
    assert [h.address for h in terraform.held()] == sorted(done)

    again = opened(tmp_path, modules)
    assert again.plan().changes == () and again.plan().summary == "nothing changes"

    changed = opened(tmp_path, modules, word="two").plan()
    assert changed.summary == "1 to change, 1 to replace"
    assert list(changed.lines()) == [
        "storage: the bucket of studies and results",
        "  ~ data kept",
        "  ± data replaced (a new triggers replace needs a new one)",
    ]

    assert again.plan(destroy=True).count[Action.DESTROY] == 3
    again.apply()
    assert again.held() == [] and again.outputs() == {}


@pytest.mark.needs("terraform")
def test_what_is_wrong_with_a_variable_is_said(tmp_path: Path, modules: Path) -> None:
    with pytest.raises(ConfigError, match=r"terraform plan: Invalid value for input variable.*word"):
        opened(tmp_path, modules, word=["a", "list"]).plan()


@pytest.mark.needs("terraform")
def test_a_failing_resource_is_named_and_the_rest_is_remembered(tmp_path: Path, modules: Path) -> None:
    (modules / "more.tf").write_text(
        'resource "terraform_data" "broken" {\n  provisioner "local-exec" { command = "exit 7" }\n}\n'
    )
    terraform = opened(tmp_path, modules)
    terraform.plan()
    with pytest.raises(ConfigError, match=r"terraform apply: terraform_data\.broken: local-exec.*status 7"):
        terraform.apply()
    assert "terraform_data.own" in [held.address for held in terraform.held()]


@pytest.mark.needs("terraform")
def test_a_second_deployer_is_told_that_another_is_at_work(tmp_path: Path, modules: Path) -> None:
    (modules / "more.tf").write_text(
        'resource "terraform_data" "slow" {\n'
        '  provisioner "local-exec" { command = "touch started; while [ ! -e go ]; do sleep 0.1; done" }\n}\n'
    )
    terraform = opened(tmp_path, modules)
    terraform.plan()
    seen: list[Unavailable] = []

    def tell(kind: str, event: Mapping[str, Any]) -> None:
        if kind == "provision_start":
            with pytest.raises(Unavailable, match="someone else deploys") as caught:
                terraform.plan()
            seen.append(caught.value)
            (terraform.folder / "go").touch()

    terraform.apply(tell)
    assert len(seen) == 1 and "force-unlock " in seen[0].hint and "force-unlock ID" not in seen[0].hint


@pytest.mark.needs("terraform")
def test_a_state_that_moved_is_not_mistaken_for_none(tmp_path: Path, modules: Path) -> None:
    terraform = opened(tmp_path, modules)
    remote = RemoteState(bucket="b", key="ward/terraform.tfstate", region="eu-west-1")
    prepare(terraform.folder, variables={"name": "ward"}, state=remote, modules=modules)
    with pytest.raises(ConfigError, match="kept elsewhere than before"):
        terraform.init()


def test_the_working_copy_is_private_and_follows_the_package(tmp_path: Path, modules: Path) -> None:
    folder = tmp_path / "work"
    (modules / "old.tf").write_text("")
    remote = RemoteState(bucket="b", key="k", region="r")
    prepare(folder, variables={"ledger_url": "secret"}, state=remote, modules=modules)
    assert '"use_lockfile": true' in (folder / BACKEND).read_text()
    (folder / ".terraform.lock.hcl").write_text("kept")
    (modules / "old.tf").unlink()
    prepare(folder, variables={"ledger_url": "secret"}, state=remote, modules=modules)
    assert not (folder / "old.tf").exists() and (folder / ".terraform.lock.hcl").read_text() == "kept"
    assert stat.S_IMODE((folder / "terraform.tfvars.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_no_terraform_and_an_old_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not in PATH") as caught:
        find_terraform({"PATH": str(tmp_path)})
    assert "install" in caught.value.hint
    program = tmp_path / "terraform"
    program.write_text('#!/bin/sh\necho \'{"terraform_version": "1.9.8"}\'\n')
    program.chmod(0o755)
    with pytest.raises(ConfigError, match=r"1\.9\.8 is too old"):
        find_terraform({"PATH": str(tmp_path)})
    program.write_text('#!/bin/sh\necho \'{"terraform_version": "1.11.0-rc1"}\'\n')
    assert find_terraform({"PATH": str(tmp_path)}) == program


def test_a_refusal_of_aws_is_a_missing_permission() -> None:
    detail = (
        "operation error IAM: CreateRole, https response error StatusCode: 403, api error AccessDenied: "
        "User: arn:aws:iam::1:user/eva is not authorized to perform: iam:CreateRole on resource: "
        "arn:aws:iam::1:role/r"
    )
    error = error_of([{"summary": "creating IAM Role", "detail": detail}], doing="terraform apply", who="")
    assert isinstance(error, ConfigError) and "user eva is not allowed iam:CreateRole" in error.message


def test_trust_in_github_that_is_there_already_is_named_and_not_made_twice() -> None:
    detail = (
        "operation error IAM: CreateOpenIDConnectProvider, https response error StatusCode: 409, "
        "RequestID: 1, EntityAlreadyExists: Unknown"
    )
    error = error_of([{"summary": "creating", "detail": detail}], doing="terraform apply", who="")
    assert "can have one only" in error.message and "deploy.oidc_provider_arn" in error.hint


def test_what_aws_cannot_do_now_may_be_tried_again() -> None:
    detail = (
        "operation error EC2: RunInstances, https response error StatusCode: 500, api error InternalError"
    )
    diagnostic = {"summary": "waiting", "detail": detail, "address": "module.workers.x"}
    error = error_of([diagnostic, diagnostic], doing="terraform apply", who="")
    assert isinstance(error, Unavailable)
    assert error.message.startswith("terraform apply: module.workers.x: waiting: operation error")
    assert error.message.endswith("(and 1 more)")


@pytest.mark.parametrize(
    "said",
    [
        "api error ExpiredToken: The security token included in the request is expired",
        "operation error EC2: DescribeVpcs, https response error StatusCode: 400, api error RequestExpired",
        "No valid credential sources found",
    ],
)
def test_credentials_that_end_in_the_middle_are_told_as_such_and_not_as_an_outage(said: str) -> None:
    error = error_of([{"summary": "creating", "detail": said}], doing="terraform apply", who="")
    assert isinstance(error, ConfigError)
    assert "credentials" in error.message and "aws sso login" in error.hint
