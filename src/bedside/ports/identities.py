"""Which accounts are known by which numbers of an identity provider, and what its groups gave them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bedside.domain.person import Post


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedIdentity:
    """One number at one provider, and whose account it opens.

    Attributes:
        issuer: The provider.
        subject: The number there.
        account: Whose account.
        linked_at: When they were joined.
    """

    issuer: str
    subject: str
    account: str
    linked_at: datetime


class Identities(Protocol):
    """Links between accounts and providers. One number opens one account at most."""

    def find(self, issuer: str, subject: str) -> LinkedIdentity | None:
        """Return whose account a number opens, or None."""
        ...

    def link(self, identity: LinkedIdentity) -> bool:
        """Join a number with an account; False where it opens one already."""
        ...

    def of(self, account_id: str) -> Sequence[LinkedIdentity]:
        """Return the numbers that open an account, the oldest first."""
        ...

    def unlink(self, account_id: str) -> int:
        """Let no number open an account any more, and take what groups gave; return how many there were."""
        ...

    def grant(self, account_id: str, posts: Sequence[Post]) -> None:
        """Let an account have those roles by groups (`Account.granted`), and no others."""
        ...
