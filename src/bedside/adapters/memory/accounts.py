"""`MemoryAccounts`: accounts in this process's memory, for tests."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bedside.domain.account import Account, AddressTaken, ApiToken, LastAdministrator, Link, LinkKind, Session
from bedside.domain.person import Post
from bedside.domain.tenant import holds
from bedside.errors import Overtaken
from bedside.ports.accounts import AccountFilter


class MemoryAccounts:
    """A `bedside.ports.accounts.Accounts` that lives as long as the object; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._accounts: dict[str, Account] = {}
        self._sessions: dict[str, Session] = {}
        self._tokens: dict[str, ApiToken] = {}
        self._links: dict[str, Link] = {}

    # Accounts

    def add(self, account: Account) -> bool:
        """Record a new account; False where its e-mail address has one already."""
        with self._lock:
            if self.by_email(account.email) is not None:
                return False
            self._accounts[account.id] = account
            return True

    def account(self, account_id: str) -> Account | None:
        """Return an account, or None."""
        with self._lock:
            return self._accounts.get(account_id)

    def by_email(self, email: str) -> Account | None:
        """Return the account of an address, or None."""
        with self._lock:
            return next((a for a in self._accounts.values() if a.email == email), None)

    def save(self, account: Account) -> Account:
        """Record a change of an account; return it with its next revision."""
        with self._lock:
            admins = {a.id for a in self._accounts.values() if a.is_root_admin}
            if admins == {account.id} and not account.is_root_admin:
                raise LastAdministrator
            other = self.by_email(account.email)
            if other is not None and other.id != account.id:
                raise AddressTaken
            known = self._accounts.get(account.id)
            if known is None or known.revision != account.revision:
                raise Overtaken(f"account {account.id}: somebody changed it meanwhile", hint="look again")
            after = replace(account, revision=account.revision + 1)
            after = replace(after, seen_at=known.seen_at, granted=known.granted)
            self._accounts[account.id] = after
            return after

    def grant(self, account_id: str, posts: tuple[Post, ...]) -> None:
        """Let an account have roles by groups, and no others; for `MemoryIdentities`."""
        with self._lock:
            if account_id in self._accounts:
                self._accounts[account_id] = replace(self._accounts[account_id], granted=posts)

    def seen(self, account_id: str, at: datetime) -> None:
        """Note that somebody signed in."""
        with self._lock:
            if account_id in self._accounts:
                self._accounts[account_id] = replace(self._accounts[account_id], seen_at=at)

    def find(self, which: AccountFilter, *, limit: int, offset: int = 0) -> Sequence[Account]:
        """Return accounts by address."""
        with self._lock:
            found = sorted((a for a in self._accounts.values() if _chosen(a, which)), key=lambda a: a.email)
            return found[offset : offset + limit]

    def count(self, which: AccountFilter) -> int:
        """Return how many there are."""
        with self._lock:
            return sum(_chosen(account, which) for account in self._accounts.values())

    def has_root_admin(self) -> bool:
        """Whether somebody may let all others in."""
        with self._lock:
            return any(account.is_root_admin for account in self._accounts.values())

    # Sessions

    def add_session(self, session: Session) -> None:
        """Record a session."""
        with self._lock:
            self._sessions[session.id] = session

    def session(self, key: str) -> tuple[Session, Account] | None:
        """Return a session and whose it is, expired or not."""
        with self._lock:
            found = next((s for s in self._sessions.values() if s.key == key), None)
            account = self._accounts.get(found.account) if found else None
            return (found, account) if found and account else None

    def touch_session(self, session_id: str, at: datetime) -> None:
        """Note that a session is used."""
        with self._lock:
            if session_id in self._sessions:
                self._sessions[session_id] = replace(self._sessions[session_id], used_at=at)

    def sessions(self, account_id: str) -> Sequence[Session]:
        """Return an account's sessions, the one used last first."""
        with self._lock:
            mine = [s for s in reversed(self._sessions.values()) if s.account == account_id]
            return sorted(mine, key=lambda s: s.used_at, reverse=True)

    def end_sessions(self, account_id: str, *, only: str = "", but: str = "") -> int:
        """End an account's sessions; return how many there were."""
        with self._lock:
            ended = [
                s.id
                for s in self._sessions.values()
                if s.account == account_id and (not only or s.id == only) and (not but or s.id != but)
            ]
            for session_id in ended:
                del self._sessions[session_id]
            return len(ended)

    # Tokens

    def add_token(self, token: ApiToken) -> None:
        """Record a token."""
        with self._lock:
            self._tokens[token.id] = token

    def token(self, key: str) -> tuple[ApiToken, Account] | None:
        """Return a token and whose it is, expired or not."""
        with self._lock:
            found = next((t for t in self._tokens.values() if t.key == key), None)
            account = self._accounts.get(found.account) if found else None
            return (found, account) if found and account else None

    def touch_token(self, token_id: str, at: datetime) -> None:
        """Note that a token is used."""
        with self._lock:
            if token_id in self._tokens:
                self._tokens[token_id] = replace(self._tokens[token_id], used_at=at)

    def tokens(self, account_id: str) -> Sequence[ApiToken]:
        """Return an account's tokens, the newest first."""
        with self._lock:
            return [t for t in reversed(self._tokens.values()) if t.account == account_id]

    def end_tokens(self, account_id: str, *, only: str = "") -> int:
        """End an account's tokens, or the one with an id; return how many there were."""
        with self._lock:
            ended = [
                t.id for t in self._tokens.values() if t.account == account_id and (not only or t.id == only)
            ]
            for token_id in ended:
                del self._tokens[token_id]
            return len(ended)

    # One-time links

    def add_link(self, link: Link) -> None:
        """Record a link."""
        with self._lock:
            self._links[link.id] = link

    def link(self, key: str) -> Link | None:
        """Return a link that was not taken, expired or not."""
        with self._lock:
            return next((link for link in self._links.values() if link.key == key), None)

    def take_link(self, link_id: str) -> bool:
        """Use a link up; False where somebody did so before."""
        with self._lock:
            return self._links.pop(link_id, None) is not None

    def links(self, kind: LinkKind) -> Sequence[Link]:
        """Return all links of a kind that were not taken, the newest first."""
        with self._lock:
            return [link for link in reversed(self._links.values()) if link.kind is kind]

    def end_links(self, kind: LinkKind, *, account: str = "", made_by: str = "") -> int:
        """End links of a kind, those for or by an account where one is given; return how many."""
        with self._lock:
            ended = [
                link.id
                for link in self.links(kind)
                if (not account or link.account == account) and (not made_by or link.made_by == made_by)
            ]
            return sum(self.take_link(link_id) for link_id in ended)

    # All

    def sweep(self, now: datetime) -> int:
        """Forget what expired: sessions, tokens and links; return how many."""
        with self._lock:
            ended = 0
            for kept in (self._sessions, self._tokens, self._links):
                for key in [key for key, value in kept.items() if value.expires_at <= now]:
                    del kept[key]
                    ended += 1
            return ended


def _chosen(account: Account, which: AccountFilter) -> bool:
    texts = (account.email, account.profile.name, account.profile.department)
    if which.state is not None and account.state is not which.state:
        return False
    if which.search and not any(which.search.casefold() in text.casefold() for text in texts):
        return False
    if which.nodes is None:
        return True
    places = [post.node for post in (*account.posts, *account.granted)]
    return any(
        node == ""
        or any(holds(node, place) for place in places)
        or (account.wish and holds(node, account.wish))
        for node in which.nodes
    )
