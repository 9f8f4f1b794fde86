"""API tokens: what scripts bring. Never more than their owner may at the time, often less."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bedside.domain.account import (
    FIELD_CHARACTERS,
    TOKEN_PREFIX,
    Account,
    AccountState,
    ApiToken,
    key_of,
    new_id,
    new_secret,
)
from bedside.domain.person import Person, Right
from bedside.domain.tenant import holds, name_of
from bedside.errors import NotFound, NotPermitted, NotSignedIn, UsageError
from bedside.people.proved import must_hold
from bedside.ports import Clock
from bedside.ports.accounts import Accounts

DAYS, MOST_DAYS = 90, 365
#: More than anybody needs, and few enough for a list.
MOST_TOKENS = 50
#: Using a token is written down at most this often.
NOTED_EVERY = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a new token is for.

    Attributes:
        name: What its maker calls it.
        days: It is good for so long.
        rights: What it may do at most; empty is whatever its owner may.
        nodes: Where at most; empty is wherever its owner may.
    """

    name: str
    days: int = DAYS
    rights: tuple[Right, ...] = ()
    nodes: tuple[str, ...] = ()


class Tokens:
    """All tokens; threads may share it.

    Args:
        accounts: Keeps them.
        clock: The time.
    """

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock

    def make(self, account: Account, scope: Scope, *, by: ApiToken | None = None) -> tuple[ApiToken, str]:
        """Make a token; return it and its secret, which is shown once and kept nowhere.

        Args:
            account: Whose.
            scope: What it is for.
            by: The token that asks for it, which it cannot exceed; None for somebody signed in.

        Raises:
            UsageError: Its name or its days are none, a node is none, or there are too many tokens.
            NotPermitted: It would be more than its owner, or the token that asks, may.
            NotSignedIn: What its maker proved does not hold any more; see `bedside.people.proved`.
        """
        name = scope.name.strip()
        if not name or len(name) > FIELD_CHARACTERS or not name.isprintable():
            raise UsageError(
                f"name of a token: {len(name)} characters, want 1 to {FIELD_CHARACTERS} that can be printed"
            )
        if not 1 <= scope.days <= MOST_DAYS:
            raise UsageError(f"a token is good for 1 to {MOST_DAYS} days, not {scope.days}")
        now = self._clock.now()
        if sum(token.expires_at > now for token in self._accounts.tokens(account.id)) >= MOST_TOKENS:
            raise UsageError(f"an account has {MOST_TOKENS} tokens at most", hint="revoke one first")
        nodes = tuple(dict.fromkeys(name_of(node) for node in scope.nodes))
        rights = tuple(dict.fromkeys(scope.rights))
        _check(account.person, rights, nodes)
        expires_at = now + timedelta(days=scope.days)
        if by is not None:
            rights, nodes = _inside(by, rights, nodes)
            expires_at = min(expires_at, by.expires_at)
        secret = new_secret(TOKEN_PREFIX)
        token = ApiToken(
            id=new_id(),
            key=key_of(secret),
            account=account.id,
            name=name,
            made_at=now,
            expires_at=expires_at,
            rights=rights,
            nodes=nodes,
        )
        self._accounts.add_token(token)
        try:
            must_hold(self._accounts, account)
        except NotSignedIn:
            self._accounts.end_tokens(account.id, only=token.id)
            raise
        return token, secret

    def known(self, secret: str) -> tuple[ApiToken, Account, Person]:
        """Return a token, whose it is, and what it may.

        Raises:
            NotSignedIn: It is none, or none any more.
        """
        found = self._accounts.token(key_of(secret))
        now = self._clock.now()
        if found is None or found[0].expires_at <= now or found[1].state is not AccountState.ACTIVE:
            raise NotSignedIn("token: it is none of ours, or expired or revoked", hint="make one at /me")
        token, account = found
        if token.used_at is None or now - token.used_at >= NOTED_EVERY:
            self._accounts.touch_token(token.id, now)
        return token, account, account.person.narrowed(token.rights, token.nodes)

    def of(self, account_id: str) -> Sequence[ApiToken]:
        """Return an account's tokens, the newest first, expired ones too until they are forgotten."""
        return self._accounts.tokens(account_id)

    def revoke(self, account_id: str, token_id: str) -> None:
        """End a token at once.

        Raises:
            NotFound: The account has no such token.
        """
        if not token_id or not self._accounts.end_tokens(account_id, only=token_id):
            raise NotFound("no such token")


def _check(person: Person, rights: Iterable[Right], nodes: Sequence[str]) -> None:
    """Refuse what its owner could never use; what is taken from them later is taken from it too."""
    for node in nodes:
        if not person.narrowed((), (node,)).posts:
            raise NotPermitted(f"token: its owner has no right at or below {node}")
    narrowed = person.narrowed((), nodes)
    for right in rights:
        if not narrowed.nodes(right):
            raise NotPermitted(f"token: its owner has no right to {right} there")


def _inside(
    by: ApiToken, rights: tuple[Right, ...], nodes: tuple[str, ...]
) -> tuple[tuple[Right, ...], tuple[str, ...]]:
    rights, nodes = rights or by.rights, nodes or by.nodes
    wide = by.rights and not set(rights) <= set(by.rights)
    far = by.nodes and not all(any(holds(mine, node) for mine in by.nodes) for node in nodes)
    if wide or far:
        raise NotPermitted("token: it would be for more than the token that asks for it")
    return rights, nodes
