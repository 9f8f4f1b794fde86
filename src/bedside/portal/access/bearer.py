"""A gate for scripts that bring a token of the deployment's identity provider."""

from starlette.requests import HTTPConnection

from bedside.errors import NotSignedIn
from bedside.portal.access.caller import Caller, Means
from bedside.ports.identity import Identity


class BearerGate:
    """Knows callers by ``Authorization: Bearer`` alone.

    Args:
        identity: Knows people by their tokens; None knows nobody.
    """

    def __init__(self, identity: Identity | None) -> None:
        self._identity = identity

    def caller(self, connection: HTTPConnection) -> Caller | None:
        """Return whose token it is.

        Raises:
            NotSignedIn: It is no valid one.
            Unavailable: The provider's keys cannot be had.
        """
        given = connection.headers.get("authorization", "")
        if not given:
            return None
        kind, _, token = given.partition(" ")
        if kind.lower() != "bearer" or self._identity is None:
            raise NotSignedIn("Authorization: no token that is taken here")
        person = self._identity.verify(token.strip())
        return Caller(person=person, name=person.subject, means=Means.TOKEN)
