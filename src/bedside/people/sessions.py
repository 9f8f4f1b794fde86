"""Sessions: begun when somebody signs in, ended by time, by hand, or with the password they began with."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from bedside.domain.account import Account, AccountState, Session, key_of, new_id, new_secret
from bedside.errors import NotSignedIn
from bedside.people.proved import must_hold
from bedside.ports import Clock
from bedside.ports.accounts import Accounts

#: Using a session is written down at most this often.
NOTED_EVERY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Somebody who is signed in.

    Attributes:
        account: Whose session.
        session: Which.
    """

    account: Account
    session: Session


class Sessions:
    """All sessions; threads may share it.

    Args:
        accounts: Keeps them.
        clock: The time.
        idle_s: An unused session ends after so long.
        longest_s: Any session ends after so long.
    """

    def __init__(self, accounts: Accounts, clock: Clock, *, idle_s: float, longest_s: float) -> None:
        self._accounts = accounts
        self._clock = clock
        self._idle = timedelta(seconds=idle_s)
        self._longest = timedelta(seconds=longest_s)

    @property
    def longest_s(self) -> int:
        """How long a browser shall keep the cookie."""
        return int(self._longest.total_seconds())

    def begin(self, account: Account, *, agent: str = "", instead_of: str = "") -> str:
        """Begin a session; return the secret for the browser's cookie.

        Args:
            account: Whose; it has proved who it is.
            agent: Program and system, in few words.
            instead_of: Secret that the browser had before; that session ends, whoever's it was.

        Raises:
            NotSignedIn: What it proved does not hold any more; see `bedside.people.proved`.
        """
        now = self._clock.now()
        self._accounts.sweep(now)
        if instead_of:
            self.end(instead_of)
        secret = new_secret()
        session = Session(
            id=new_id(),
            key=key_of(secret),
            account=account.id,
            made_at=now,
            used_at=now,
            expires_at=now + self._longest,
            agent=agent,
        )
        self._accounts.add_session(session)
        try:
            must_hold(self._accounts, account)
        except NotSignedIn:
            self._accounts.end_sessions(account.id, only=session.id)
            raise
        self._accounts.seen(account.id, now)
        return secret

    def known(self, secret: str, *, is_used: bool = True) -> Known | None:
        """Return who is signed in with a secret, or None.

        Args:
            secret: What the browser keeps.
            is_used: Somebody does something; an open page that only listens keeps no session from ending.
        """
        found = self._accounts.session(key_of(secret))
        if found is None:
            return None
        session, account = found
        now = self._clock.now()
        if not self._lasts(session) or account.state is not AccountState.ACTIVE:
            return None
        if is_used and now - session.used_at >= NOTED_EVERY:
            self._accounts.touch_session(session.id, now)
        return Known(account=account, session=session)

    def end(self, secret: str) -> None:
        """End the session of a secret, if there is one."""
        found = self._accounts.session(key_of(secret))
        if found is not None:
            self._accounts.end_sessions(found[1].id, only=found[0].id)

    def of(self, account_id: str) -> Sequence[Session]:
        """Return an account's sessions that last, the one used last first."""
        return [session for session in self._accounts.sessions(account_id) if self._lasts(session)]

    def _lasts(self, session: Session) -> bool:
        now = self._clock.now()
        # What is noted of its use is older than the truth by as much.
        return now < session.expires_at and now - session.used_at < self._idle + NOTED_EVERY


def csrf_of(secret: str) -> str:
    """Return what forms of a session must send back: it says nothing of the secret it is made from."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()
