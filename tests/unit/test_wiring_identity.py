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
from bedside.wiring.identity import identity_state, open_api_identity, open_identity, open_signing_in
from issuer_server import CLIENT, run_issuer


def settings(**identity: Any) -> Settings:
    return Settings.model_validate({"identity": identity})


def test_nobody_signs_in_where_no_issuer_is_named() -> None:
    assert open_identity(settings(), ManualClock()) is None


def test_an_issuer_needs_a_client() -> None:
    with pytest.raises(ConfigError, match="names no client"):
        open_identity(settings(issuer="https://sso.example"), ManualClock())


def test_where_only_browsers_sign_in_no_token_is_taken() -> None:
    with run_issuer() as issuer:
        chosen = settings(issuer=issuer.url, client_id=CLIENT)
        assert open_api_identity(chosen, ManualClock()) is None
        assert identity_state(chosen) == f"browsers sign in there as {CLIENT}"
    with pytest.raises(ConfigError, match="says who we are"):
        open_signing_in(settings(client_id=CLIENT), ManualClock())


def test_a_secret_stands_in_one_place(tmp_path: Any) -> None:
    there = {
        "issuer": "https://sso.example",
        "client_id": CLIENT,
        "client_secret_file": str(tmp_path / "none"),
    }
    with pytest.raises(ConfigError, match=r"identity.client_secret_file: .* cannot be read"):
        open_signing_in(settings(**there), ManualClock())
    with pytest.raises(ConfigError, match="both client_secret and client_secret_file"):
        open_signing_in(settings(**there, client_secret="x"), ManualClock())  # pragma: allowlist secret


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
