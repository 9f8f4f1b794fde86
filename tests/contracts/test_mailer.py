"""What reaches one person's mailbox: the mail alone, encrypted, and errors that name nobody."""

from collections.abc import Iterator
from typing import Any

import pytest

from bedside.adapters.notices.mail import MailOptions, Security
from bedside.adapters.notices.mailer import SmtpMailer
from bedside.config import Settings
from bedside.errors import ConfigError, Unavailable
from bedside.ports.mail import PersonalMail
from bedside.wiring.notices import open_mailer
from mailbox_server import Mailbox, run_mailbox

MAIL = PersonalMail(to="bo@ward.example", subject="Invitación", text="Línea 1\n\nhttps://b.example/join/x\n")


@pytest.fixture(scope="module")
def mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    with run_mailbox(tmp_path_factory.mktemp("mailbox")) as running:
        yield running


def mailer(mailbox: Mailbox, **more: Any) -> SmtpMailer:
    options = {
        "sender": "bedside@ward.example",
        "to": ("reader-of-notices@ward.example",),
        "host": "127.0.0.1",
        "port": mailbox.port,
        "user": "bedside",
        "password": "right",  # pragma: allowlist secret
    }
    return SmtpMailer(MailOptions(**(options | more)), context=mailbox.trusted())


def test_a_mail_reaches_its_reader_and_no_reader_of_notices(mailbox: Mailbox) -> None:
    mailer(mailbox).send(MAIL)
    (got,) = mailbox.mails
    assert mailbox.all_encrypted and got["To"] == "bo@ward.example" and "notices" not in got.as_string()
    assert (got["Subject"], got["From"]) == ("Invitación", "bedside@ward.example")
    assert got.get_content().replace("\r\n", "\n") == MAIL.text and got["Auto-Submitted"] == "auto-generated"
    mailer(mailbox, to=()).send(MAIL)
    assert mailbox.mails[0]["Message-ID"] != mailbox.mails[1]["Message-ID"]


@pytest.mark.parametrize(
    ("to", "kind"), [("nobody@ward.example", ConfigError), ("later@ward.example", Unavailable)]
)
def test_a_refusal_names_nobody(mailbox: Mailbox, to: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as refused:
        mailer(mailbox).send(PersonalMail(to=to, subject="s", text="t"))
    assert to not in str(refused.value) and "bedside notify" in refused.value.hint  # type: ignore[attr-defined]


def test_a_password_is_not_sent_in_the_clear(mailbox: Mailbox) -> None:
    with pytest.raises(ConfigError, match="this machine only"):
        mailer(mailbox, host="mail.example", security=Security.NONE)


@pytest.mark.parametrize(
    ("notify", "opened", "told"),
    [
        ({}, False, []),
        ({"smtp_host": "127.0.0.1", "email_from": "b@w.example"}, True, []),
        ({"smtp_host": "127.0.0.1"}, False, ["notify.unusable"]),
    ],
)
def test_people_get_mail_where_the_settings_name_a_server(
    notify: dict[str, str], opened: bool, told: list[str]
) -> None:
    said: list[str] = []
    settings = Settings.model_validate({"notify": notify})
    found = open_mailer(settings, lambda action, /, **fields: said.append(action))
    assert (found is not None) is opened and said == told
