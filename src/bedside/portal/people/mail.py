"""Mails to people: written in their language, sent after the answer, so that no answer tells by its time."""

from fastapi import BackgroundTasks

from bedside.errors import ConfigError, Unavailable
from bedside.portal.here import Here
from bedside.portal.shell.words import Words
from bedside.ports.mail import Mailer, PersonalMail

#: Of an answer that must not say whether a mail is sent after it. On its connection the next answer would
#: come only when that is done, so there is none.
UNTIMED = {"Connection": "close"}


def tell(background: BackgroundTasks, here: Here, to: str, words: Words, what: str, **values: object) -> bool:
    """Write to somebody, soon.

    Args:
        background: Of the answer.
        here: The portal.
        to: Address.
        words: In their language.
        what: The keys of the texts are ``people.mail_<what>_subject`` and ``..._text``.
        **values: What is put into the text.

    Returns:
        Whether there is a mail server; what becomes of the mail is said in the log.
    """
    mailer = here.deployment.mailer
    if mailer is None:
        return False
    mail = written(words, to, what, **values)
    background.add_task(send, here, mailer, mail, what)
    return True


def written(words: Words, to: str, what: str, **values: object) -> PersonalMail:
    """Return a mail."""
    text = words(f"people.mail_{what}_text", **values)
    return PersonalMail(to=to, subject=words(f"people.mail_{what}_subject"), text=f"{text}\n")


def send(here: Here, mailer: Mailer, mail: PersonalMail, what: str) -> None:
    """Send a mail, and say in the log where that failed."""
    try:
        mailer.send(mail)
    except (Unavailable, ConfigError) as failed:
        here.deployment.log("mail.unsent", what=what, reason=failed.message, hint=failed.hint)


def link_to(here: Here, path: str) -> str:
    """Return the address of a path for a mail: by our settings, never by what a browser says of us."""
    return f"{here.deployment.settings.portal.address}{path}"
