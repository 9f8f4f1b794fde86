"""Who somebody is."""

from typing import Protocol

from bedside.domain.person import Person


class Identity(Protocol):
    """Knows people by the tokens that an issuer gave them."""

    def verify(self, token: str) -> Person:
        """Return whose token it is.

        Nothing of a token is believed before its signature is checked, and no message repeats it.

        Raises:
            NotSignedIn: It is no token of this issuer for us: expired, for another audience, of another
                kind, signed by an unknown key, altered, or no token at all.
            Unavailable: The issuer's keys cannot be had just now.
        """
        ...
