"""Whose credentials a command has for which registry."""

import json
import sys

import pytest

from bedside.errors import ConfigError
from bedside.oci.reference import Reference
from bedside.wiring import open_registries
from registries import run_registry

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"


@pytest.mark.needs("docker-registry")
def test_docker_login_is_enough(tmp_path) -> None:
    password = "$2y$05$abcdefghijklmnopqrstuuA0vov2GDneHB3.8.cv9UF9g.RdvScIW"  # pragma: allowlist secret
    (tmp_path / "htpasswd").write_text(f"alice:{password}\n")
    settings = {"auth": {"htpasswd": {"realm": "tests", "path": str(tmp_path / "htpasswd")}}}
    with run_registry(tmp_path, settings=settings) as host:
        reference = Reference.parse(f"{host}/a:1")
        with open_registries({"HOME": str(tmp_path)}) as registries, pytest.raises(ConfigError):
            registries.at(reference).head("1")
        (tmp_path / ".docker").mkdir()
        entry = {"auth": "YWxpY2U6d29uZGVybGFuZA=="}  # pragma: allowlist secret
        (tmp_path / ".docker" / "config.json").write_text(json.dumps({"auths": {host: entry}}))
        with open_registries({"HOME": str(tmp_path)}) as registries:
            assert registries.at(reference).head("1") is None
    # No other host than ECR's needs AWS: half a second of every command.
    assert "bedside.adapters.aws.hosts" in sys.modules


def test_without_aws_installed_the_refusal_says_so(tmp_path, monkeypatch) -> None:
    from bedside.wiring.registries import _ecr

    monkeypatch.setitem(sys.modules, "boto3", None)
    for module in ("ecr", "clients"):  # another test may have loaded them with it
        monkeypatch.delitem(sys.modules, f"bedside.adapters.aws.{module}", raising=False)
    answer = _ecr().ask(ECR, "a")
    assert answer.credentials is None
    assert answer.notes == ("AWS: not asked, pip install 'bedside[aws]'",)


def test_ecr_is_asked_of_aws() -> None:
    from bedside.adapters.aws.ecr import EcrAuthority
    from bedside.wiring.registries import _ecr

    assert isinstance(_ecr(), EcrAuthority)
