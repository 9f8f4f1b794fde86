"""The gate: what finds out who asks."""

from typing import Protocol

from starlette.requests import HTTPConnection

from bedside.portal.access.caller import Caller


class Gate(Protocol):
    """Knows who asks, by a cookie or a token. Called from several threads."""

    def caller(self, connection: HTTPConnection) -> Caller | None:
        """Return who asks, or None where nobody is known.

        Raises:
            NotSignedIn: A token came that is none, or is none any more.
            Unavailable: Whoever knows cannot be asked just now.
        """
        ...
