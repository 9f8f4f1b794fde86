"""``bedside people`` as somebody types it who cannot sign in."""

import json
from pathlib import Path
from typing import Any

import pyotp
import pytest

from bedside.cli.main import main
from bedside.config import load
from bedside.domain.account import Account, AccountState, Profile
from bedside.ports.audit import AuditFilter
from bedside.wiring import Deployment, open_deployment

PASSWORD = "seven green herons wading"  # pragma: allowlist secret


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "bedside.toml"
    path.write_text(f'[system]\nroot = "{tmp_path / "data"}"\ntenants = ["h.ct"]\n')
    with path.open("a") as more:
        more.write('[portal]\nurl = "https://b.example"\n')
    return path


@pytest.fixture
def typed(configuration: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def type_(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["people", *map(str, arguments), "-c", str(configuration)])
        written = capsys.readouterr()
        return code, written.out, written.err

    return type_


def deployment(configuration: Path) -> Deployment:
    return open_deployment(load(configuration, environment={}, flags={}).settings)


def test_an_administrator_is_let_in_from_the_shell(typed: Any, configuration: Path) -> None:
    code, out, err = typed("list")
    assert code == 0 and out == "" and "bedside people invite EMAIL --role admin" in err
    code, out, err = typed("invite", "Ana@h.example", "--role", "admin", "--role", "viewer")
    assert code == 0 and "admin at /, viewer at /" in err
    link = out.strip()
    assert link.startswith("https://b.example/join/") and "ana@h.example" in typed("list")[2]
    opened = deployment(configuration)
    secret = link.rpartition("/")[2]
    opened.people.invitations.join(secret, profile=Profile(name="Ana"), password=PASSWORD)
    assert opened.people.accounts.has_root_admin()
    opened.close()
    (account,) = json.loads(typed("list", "--json")[1])["accounts"]
    assert account["email"] == "ana@h.example" and account["posts"][0] == {"role": "admin", "node": ""}
    code, out, _ = typed("reset", "ana@h.example", "--json")
    assert code == 0 and "/recover/" in json.loads(out)["link"]
    assert PASSWORD not in out and "argon2" not in out
    opened = deployment(configuration)
    deeds = [(r.deed.action, r.deed.object) for r in opened.records.audit.walk(AuditFilter())]
    opened.close()
    assert [action for action, _ in deeds] == ["invitation.made", "account.recovery_made"]
    assert deeds[1][1] == account["id"]


def test_the_last_administrator_cannot_be_disabled_and_others_can(typed: Any, configuration: Path) -> None:
    opened = deployment(configuration)
    for name, role in (("ana", "admin"), ("bo", "clinician")):
        _, out, _ = typed(
            "invite", f"{name}@h.example", "--role", role, "--at", "" if role == "admin" else "h"
        )
        secret = out.strip().rpartition("/")[2]
        opened.people.invitations.join(secret, profile=Profile(name=name), password=PASSWORD)
    code, _, err = typed("disable", "ana@h.example")
    assert code == 2 and "last administrator" in err
    assert typed("disable", "bo@h.example")[0] == 0
    (row,) = json.loads(typed("list", "--state", "disabled", "--json")[1])["accounts"]
    assert row["email"] == "bo@h.example" and row["posts"] == [{"role": "clinician", "node": "h"}]
    code, _, err = typed("reset", row["id"])
    assert code == 2 and "bedside people enable" in err
    assert typed("enable", row["id"])[0] == 0
    found = opened.people.accounts.by_email("bo@h.example")
    assert found is not None and found.state is AccountState.ACTIVE
    opened.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("invite", "nobody", "--role", "viewer"), "e-mail address of 6 characters"),
        (("invite", "a@h.example", "--role", "viewer", "--at", "h/mr"), "no tenant h/mr"),
        (("reset", "a@h.example"), "no such account"),
        (("disable", "0123456789abcdef"), "no such account"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(typed: Any, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = typed(*arguments)
    assert code == 2 and out == "" and said in err


def test_who_lost_the_phone_is_helped_from_the_shell(typed: Any, configuration: Path) -> None:
    opened = deployment(configuration)
    account = Account(
        id="a-1", email="ana@h.example", profile=Profile(name="Ana"), made_at=opened.clock.now()
    )
    opened.people.accounts.add(account)
    code = pyotp.TOTP(opened.seconds.begin(account).secret).at(opened.clock.now())
    assert opened.seconds.confirm(account, code) and opened.people.sessions.begin(account)
    opened.close()
    code, out, err = typed("remove-factor", "ana@h.example")
    assert (code, out) == (0, "") and "no second factor any more" in err
    assert not json.loads(typed("remove-factor", "a-1", "--json")[1])["had_factor"]
    opened = deployment(configuration)
    assert opened.seconds.of(account) is None and not opened.people.sessions.of("a-1")
    assert [r.deed.action for r in opened.records.audit.walk(AuditFilter())] == ["second_factor.reset"] * 2
    opened.close()
    assert typed("remove-factor", "nobody@h.example")[0] == 2
