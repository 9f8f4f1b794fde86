"""Mail to one person at a time: an invitation, a link for a forgotten password."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalMail:
    """A mail.

    Attributes:
        to: Address.
        subject: One line.
        text: Plain text; a link in it lets in whoever reads it.
    """

    to: str = field(repr=False)
    subject: str
    text: str = field(repr=False)


class Mailer(Protocol):
    """Writes to people."""

    def send(self, mail: PersonalMail) -> None:
        """Hand a mail over to whoever brings it to its reader; messages of errors do not name that one.

        Raises:
            Unavailable: It was not taken now; another try may do.
            ConfigError: It is refused and will be again.
        """
        ...
