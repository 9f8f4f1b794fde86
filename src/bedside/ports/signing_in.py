"""Signing in at somebody else: an identity provider says who a browser's person is."""

from dataclasses import dataclass, field
from typing import Protocol

from bedside.domain.person import Post


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """A browser that was sent to the provider; what it must come back with.

    Attributes:
        url: Where it was sent.
        state: Comes back with it, so that nobody else's errand ends here.
        nonce: Is in the token, so that no other sign-in's token ends here.
        verifier: Proves that the code is redeemed by whoever sent the browser (PKCE).
    """

    url: str
    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """Who came back, as the provider says.

    Attributes:
        issuer: The provider.
        subject: Number of the person there; with the issuer it means one person for ever.
        email: Address, or empty where it says none.
        name: As the provider calls them, or empty.
        posts: Roles that their groups give.
    """

    issuer: str
    subject: str
    email: str = field(repr=False)
    name: str = field(repr=False)
    posts: tuple[Post, ...] = ()


class SigningIn(Protocol):
    """A provider at which browsers sign in."""

    def begin(self, back: str) -> Errand:
        """Return where to send a browser.

        Args:
            back: Address of ours to which it comes back.

        Raises:
            Unavailable: The provider does not answer.
        """
        ...

    def finish(self, errand: Errand, code: str, back: str) -> Newcomer:
        """Redeem the code that a browser came back with.

        Raises:
            NotSignedIn: The code is none, or was redeemed before, or the token is for others, expired,
                altered, or of another errand.
            Unavailable: The provider does not answer.
        """
        ...

    def farewell(self, back: str) -> str:
        """Return where a browser signs out of the provider too; empty where that cannot be done.

        Args:
            back: Address of ours to which it comes back.
        """
        ...
