"""`MemoryIdentities`: accounts' numbers at identity providers in this process's memory, for tests."""

import threading
from collections.abc import Sequence

from bedside.adapters.memory.accounts import MemoryAccounts
from bedside.domain.person import Post
from bedside.ports.identities import LinkedIdentity


class MemoryIdentities:
    """A `bedside.ports.identities.Identities` that lives as long as the object; safe between threads.

    Args:
        accounts: Those that groups give roles to.
    """

    def __init__(self, accounts: MemoryAccounts) -> None:
        self._accounts = accounts
        self._lock = threading.Lock()
        self._linked: dict[tuple[str, str], LinkedIdentity] = {}

    def find(self, issuer: str, subject: str) -> LinkedIdentity | None:
        """Return whose account a number opens, or None."""
        with self._lock:
            return self._linked.get((issuer, subject))

    def link(self, identity: LinkedIdentity) -> bool:
        """Join a number with an account; False where it opens one already."""
        with self._lock:
            known = self._linked.setdefault((identity.issuer, identity.subject), identity)
            return known is identity

    def of(self, account_id: str) -> Sequence[LinkedIdentity]:
        """Return the numbers that open an account, the oldest first."""
        with self._lock:
            return [linked for linked in self._linked.values() if linked.account == account_id]

    def unlink(self, account_id: str) -> int:
        """Let no number open an account any more, and take what groups gave; return how many there were."""
        with self._lock:
            gone = [key for key, linked in self._linked.items() if linked.account == account_id]
            for key in gone:
                del self._linked[key]
            self._accounts.grant(account_id, ())
            return len(gone)

    def grant(self, account_id: str, posts: Sequence[Post]) -> None:
        """Let an account have those roles by groups, and no others."""
        self._accounts.grant(account_id, tuple(dict.fromkeys(posts)))
