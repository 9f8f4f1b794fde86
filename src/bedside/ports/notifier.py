"""Where people are told that something needs them."""

from typing import Protocol

from bedside.domain.notice import Bulletin


class Notifier(Protocol):
    """One way to a person: a topic, a mail, a web address.

    Sending may take seconds, so no caller that has a job in hand calls it; `bedside.worker.announce`
    does, from a thread of its own, tries again and counts what is lost. A bulletin that arrives twice
    has the same id.
    """

    def send(self, bulletin: Bulletin) -> None:
        """Hand a bulletin over to whoever brings it to its reader.

        Raises:
            Unavailable: It was not taken now; another try may do.
            ConfigError: It is refused and will be again: an address, a right or a secret is wrong.
        """
        ...
