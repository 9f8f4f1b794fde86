"""A gate for scripts that bring a token of the deployment's identity provider."""

from collections.abc import Callable

from starlette.requests import HTTPConnection

from bedside.domain.account import Account, AccountState
from bedside.domain.person import Person
from bedside.errors import NotSignedIn
from bedside.portal.access.caller import Caller, Means
from bedside.ports.identity import Identity


class BearerGate:
    """Knows callers by ``Authorization: Bearer`` alone.

    Args:
        identity: Knows people by their tokens; None knows nobody.
        account_of: Returns the account that a person's number at the provider opens, if any.
    """

    def __init__(
        self, identity: Identity | None, account_of: Callable[[str], Account | None] = lambda _: None
    ) -> None:
        self._identity = identity
        self._account_of = account_of

    def caller(self, connection: HTTPConnection) -> Caller | None:
        """Return whose token it is.

        Raises:
            NotSignedIn: It is no valid one, or its owner's account is disabled here.
            Unavailable: The provider's keys cannot be had.
        """
        given = connection.headers.get("authorization", "")
        if not given:
            return None
        kind, _, token = given.partition(" ")
        if kind.lower() != "bearer" or self._identity is None:
            raise NotSignedIn("Authorization: no token that is taken here")
        person = self._identity.verify(token.strip())
        account = self._account_of(person.subject)
        if account is None:
            return Caller(person=person, name=person.subject, means=Means.TOKEN)
        if account.state is not AccountState.ACTIVE:
            raise NotSignedIn(f"account {account.id}: it is {account.state}")
        # One person has one number in the trail, whichever way they come; groups are those of the token.
        posts = tuple(dict.fromkeys((*account.posts, *person.posts)))
        one = Person(subject=account.id, posts=posts)
        return Caller(person=one, name=account.profile.name, means=Means.TOKEN)
