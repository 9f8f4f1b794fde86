"""Accounts and what they are known by: sessions, tokens, one-time links."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bedside.domain.account import Account, AccountState, ApiToken, Link, LinkKind, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFilter:
    """Which accounts.

    Attributes:
        nodes: Those with a role, or a wish for one, at or below one of these nodes; None is all accounts.
        search: Part of a name, an address or a department, small or capital letters alike.
        state: Those in this state; None is any.
    """

    nodes: tuple[str, ...] | None = None
    search: str = ""
    state: AccountState | None = None


class Accounts(Protocol):
    """All of it, in one place, since a change to one of them often ends another."""

    # Accounts

    def add(self, account: Account) -> bool:
        """Record a new account; False where its e-mail address has one already."""
        ...

    def account(self, account_id: str) -> Account | None:
        """Return an account, or None."""
        ...

    def by_email(self, email: str) -> Account | None:
        """Return the account of an address as `email_of` gives it, or None."""
        ...

    def save(self, account: Account) -> Account:
        """Record a change of an account; return it with its next revision.

        Raises:
            Overtaken: It changed since it was read.
            AddressTaken: Another account has its address.
            LastAdministrator: Nobody would be left who administers the root.
        """
        ...

    def seen(self, account_id: str, at: datetime) -> None:
        """Note that somebody signed in; no change that others could be overtaken by."""
        ...

    def find(self, which: AccountFilter, *, limit: int, offset: int = 0) -> Sequence[Account]:
        """Return accounts by address."""
        ...

    def count(self, which: AccountFilter) -> int:
        """Return how many there are."""
        ...

    def has_root_admin(self) -> bool:
        """Whether somebody may let all others in."""
        ...

    # Sessions

    def add_session(self, session: Session) -> None:
        """Record a session."""
        ...

    def session(self, key: str) -> tuple[Session, Account] | None:
        """Return a session and whose it is, expired or not."""
        ...

    def touch_session(self, session_id: str, at: datetime) -> None:
        """Note that a session is used."""
        ...

    def sessions(self, account_id: str) -> Sequence[Session]:
        """Return an account's sessions, the one used last first."""
        ...

    def end_sessions(self, account_id: str, *, only: str = "", but: str = "") -> int:
        """End an account's sessions; return how many there were.

        Args:
            account_id: Whose.
            only: The one with this id alone.
            but: All but the one with this id.
        """
        ...

    # Tokens

    def add_token(self, token: ApiToken) -> None:
        """Record a token."""
        ...

    def token(self, key: str) -> tuple[ApiToken, Account] | None:
        """Return a token and whose it is, expired or not."""
        ...

    def touch_token(self, token_id: str, at: datetime) -> None:
        """Note that a token is used."""
        ...

    def tokens(self, account_id: str) -> Sequence[ApiToken]:
        """Return an account's tokens, the newest first."""
        ...

    def end_tokens(self, account_id: str, *, only: str = "") -> int:
        """End an account's tokens, or the one with an id; return how many there were."""
        ...

    # One-time links

    def add_link(self, link: Link) -> None:
        """Record a link."""
        ...

    def link(self, key: str) -> Link | None:
        """Return a link that was not taken, expired or not."""
        ...

    def take_link(self, link_id: str) -> bool:
        """Use a link up; False where somebody did so before."""
        ...

    def links(self, kind: LinkKind) -> Sequence[Link]:
        """Return all links of a kind that were not taken, the newest first."""
        ...

    def end_links(self, kind: LinkKind, *, account: str = "", made_by: str = "") -> int:
        """End links of a kind, those for or by an account where one is given; return how many."""
        ...

    # All

    def sweep(self, now: datetime) -> int:
        """Forget what expired: sessions, tokens and links; return how many."""
        ...
