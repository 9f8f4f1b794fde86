"""The gate of a portal with accounts: a session's cookie, or a token of ours, or one of the issuer."""

from starlette.requests import HTTPConnection

from bedside.config.portal import PortalSettings
from bedside.domain.account import TOKEN_PREFIX
from bedside.people import People
from bedside.people.sessions import csrf_of
from bedside.portal.access import cookie
from bedside.portal.access.bearer import BearerGate
from bedside.portal.access.caller import LISTENS, Caller, Means


class AccountGate:
    """Knows callers by what they bring; called from several threads.

    Args:
        people: Knows sessions and tokens of ours.
        issuer: Knows tokens of the identity provider.
        settings: Of the portal.
    """

    def __init__(self, people: People, issuer: BearerGate, settings: PortalSettings) -> None:
        self._people = people
        self._issuer = issuer
        self._settings = settings

    def caller(self, connection: HTTPConnection) -> Caller | None:
        """Return who asks, or None where nobody is known.

        Raises:
            NotSignedIn: A token came that is none, or is none any more.
            Unavailable: The issuer's keys, or the ledger, cannot be had.
        """
        secret = cookie.read(connection, self._settings)
        is_used = not getattr(connection.state, LISTENS, False)
        known = self._people.sessions.known(secret, is_used=is_used) if secret else None
        if known is not None:
            profile = known.account.profile
            return Caller(
                person=known.account.person,
                name=profile.name,
                means=Means.SESSION,
                csrf=csrf_of(secret),
                account=known.account.id,
                credential=known.session.id,
                language=profile.language,
            )
        kind, _, given = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not given.strip().startswith(TOKEN_PREFIX):
            return self._issuer.caller(connection)
        token, account, person = self._people.tokens.known(given.strip())
        return Caller(
            person=person,
            name=account.profile.name,
            means=Means.TOKEN,
            account=account.id,
            credential=token.id,
            language=account.profile.language,
        )
