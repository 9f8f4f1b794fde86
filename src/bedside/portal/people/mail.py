"""Mails to people: written in their language, sent after the answer, so that no answer tells by its time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import BackgroundTasks, Depends, Request

from bedside.errors import ConfigError, Unavailable
from bedside.portal.here import Here, InHere
from bedside.portal.shell.words import Words, chosen
from bedside.ports.mail import Mailer, PersonalMail

#: Of an answer that must not say whether a mail is sent after it. On its connection the next answer would
#: come only when that is done, so there is none.
UNTIMED = {"Connection": "close"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """Writes to people after the answer to a request, so that no answer takes longer by it.

    Attributes:
        request: What is answered; who has no account is written to in its language.
        here: The portal.
        background: Of the answer.
    """

    request: Request
    here: Here
    background: BackgroundTasks

    def tell(self, to: str, what: str, **values: object) -> bool:
        """Write to somebody, soon.

        Args:
            to: Address.
            what: The keys of the texts are ``people.mail_<what>_subject`` and ``..._text``.
            **values: What is put into the text.

        Returns:
            Whether there is a mail server; what becomes of the mail is said in the log.
        """
        if self.here.deployment.mailer is None:
            return False
        asking = self.here.pages.words(self.request, getattr(self.request.state, "caller", None)).language
        self.background.add_task(_write, self.here, to, what, asking, values)
        return True


def telling(request: Request, here: InHere, background: BackgroundTasks) -> Telling:
    """Return what writes to people after a request was answered."""
    return Telling(request=request, here=here, background=background)


InTelling = Annotated[Telling, Depends(telling)]


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


def _write(here: Here, to: str, what: str, asking: str, values: Mapping[str, object]) -> None:
    mailer = here.deployment.mailer
    if mailer is None:
        return
    known = here.deployment.people.accounts.by_email(to)
    words = Words(chosen(known.profile.language if known else "", asking))
    send(here, mailer, written(words, to, what, **values), what)
