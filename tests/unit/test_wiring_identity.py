"""Which issuer a configuration names, and whether it answers."""

import re
from typing import Any

import pytest

from bedside.adapters.memory.clock import ManualClock
from bedside.cli.checks import Status
from bedside.cli.doctor import examine
from bedside.config import Settings
from bedside.deploy.workspace import MODULES
from bedside.domain.person import PersonRole
from bedside.errors import ConfigError
from bedside.wiring.identity import identity_state, open_identity
from issuer_server import CLIENT, run_issuer


def settings(**identity: Any) -> Settings:
    return Settings.model_validate({"identity": identity})


def test_nobody_signs_in_where_no_issuer_is_named() -> None:
    assert open_identity(settings(), ManualClock()) is None


def test_an_issuer_needs_a_client() -> None:
    with pytest.raises(ConfigError, match="names no client"):
        open_identity(settings(issuer="https://sso.example"), ManualClock())


def test_doctor_asks_whether_the_issuer_answers(tmp_path: Any) -> None:
    with run_issuer() as issuer:
        chosen = settings(issuer=issuer.url, clients=[CLIENT])
        assert identity_state(chosen) == f"{issuer.url} has 1 keys; tokens of 1 clients are taken"
        path = tmp_path / "bedside.toml"
        path.write_text(f'[identity]\nissuer = "{issuer.url}"\nclients = ["{CLIENT}"]\n')
        issuer.silent = True
        (found,) = (finding for finding in examine(path) if finding.what == "identity")
    assert found.status is Status.FAIL and "does not answer" in found.detail


def test_the_roles_are_those_of_the_module_that_makes_their_groups() -> None:
    text = (MODULES / "modules" / "identity" / "main.tf").read_text()
    groups = text[text.index("groups = {") : text.index("}", text.index("groups = {"))]
    assert set(re.findall(r"^    (\w+) +=", groups, re.MULTILINE)) == {role.value for role in PersonRole}
