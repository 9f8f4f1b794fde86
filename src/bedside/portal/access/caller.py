"""Somebody who asks the portal for something, and how we know who it is."""

from dataclasses import dataclass, field
from enum import StrEnum

from bedside.domain.person import Person

#: Set in a request's state while its stream is open: that nobody does anything but listen.
LISTENS = "listens"


class Means(StrEnum):
    """By what a caller is known."""

    SESSION = "session"  # a browser's cookie, after signing in
    TOKEN = "token"  # noqa: S105 - the word; an API token, or an access token of the identity provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks.

    Attributes:
        person: Whose rights count; of a token those that it was narrowed to.
        name: As the person wants to be called; shown on pages, never logged.
        means: How we know.
        csrf: What forms of this session must send back; empty for tokens, which no browser sends by itself.
        account: Id of their account here; empty for people whom another issuer knows.
        credential: Id of the session or of the token; empty for another issuer's.
        language: ``en`` or ``es``, or empty for what the browser asks for.
    """

    person: Person
    name: str = field(repr=False)
    means: Means
    csrf: str = field(default="", repr=False)
    account: str = ""
    credential: str = ""
    language: str = ""
