"""Accounts of people who sign in at an identity provider: opened by issuer and number, made the first time.

An address alone opens nothing: whoever has the same address at the provider is not let into an account that
was made here, until its owner, signed in, has joined the two.
"""

from collections.abc import Sequence
from dataclasses import replace

from bedside.domain.account import FIELD_CHARACTERS, Account, AccountState, Profile, email_of, key_of, new_id
from bedside.domain.person import Post
from bedside.errors import NotPermitted, UsageError
from bedside.ports import Clock
from bedside.ports.accounts import Accounts
from bedside.ports.identities import Identities, LinkedIdentity
from bedside.ports.signing_in import Newcomer


class AddressInUse(UsageError):
    """A newcomer whose address has an account that nobody joined with the provider."""

    def __init__(self) -> None:
        super().__init__(
            "an account with this e-mail address exists already",
            hint="sign in to it by its password, and connect it on your own page",
        )


class Federation:
    """Who comes in by an identity provider.

    Args:
        accounts: Keeps accounts.
        identities: Keeps which numbers open them.
        clock: The time.
    """

    def __init__(self, accounts: Accounts, identities: Identities, clock: Clock) -> None:
        self._accounts = accounts
        self._identities = identities
        self._clock = clock

    def enter(self, newcomer: Newcomer) -> tuple[Account, bool]:
        """Return somebody's account, with the roles that their groups give now, and whether it is new.

        Raises:
            NotPermitted: The account is disabled, or waits for approval.
            AddressInUse: Their address has an account that they must join first.
        """
        account = self.account(newcomer.issuer, newcomer.subject)
        made = account is None
        if account is None:
            account = self._make(newcomer)
        if account.state is not AccountState.ACTIVE:
            raise NotPermitted(f"account {account.id}: it is {account.state}")
        return self._granted(account, newcomer.posts), made

    def account(self, issuer: str, subject: str) -> Account | None:
        """Return the account that a number at a provider opens, or None."""
        linked = self._identities.find(issuer.rstrip("/"), subject)
        return self._accounts.account(linked.account) if linked else None

    def connect(self, account: Account, newcomer: Newcomer) -> Account:
        """Let a number open an account too; whoever is signed in to it proved to have both.

        Raises:
            UsageError: It opens another account, or the account is opened by another number there.
        """
        known = self._identities.of(account.id)
        if any(each.issuer == newcomer.issuer and each.subject != newcomer.subject for each in known):
            raise UsageError("your account is connected with somebody else there; disconnect it first")
        linked = self._identities.find(newcomer.issuer, newcomer.subject)
        if linked is None and not self._link(newcomer, account):
            linked = self._identities.find(newcomer.issuer, newcomer.subject)
        if linked is not None and linked.account != account.id:
            raise UsageError("whoever signed in there has another account here already")
        return self._granted(account, newcomer.posts)

    def of(self, account_id: str) -> Sequence[LinkedIdentity]:
        """Return by which numbers an account is opened."""
        return self._identities.of(account_id)

    def disconnect(self, account: Account) -> int:
        """Let no number open an account any more; what groups gave it goes too.

        Raises:
            UsageError: Nothing else would open it.
        """
        if not account.password:
            raise UsageError(
                "your account has no password: nothing else would open it",
                hint="choose a password first, by way of a forgotten one",
            )
        return self._identities.unlink(account.id)

    def _make(self, newcomer: Newcomer) -> Account:
        address = _address(newcomer)
        account = Account(
            id=new_id(),
            email=address,
            profile=Profile(name=(newcomer.name or address.partition("@")[0])[:FIELD_CHARACTERS]),
            made_at=self._clock.now(),
        )
        if not self._accounts.add(account):
            raise AddressInUse
        if self._link(newcomer, account):
            return account
        # They came twice at once, by addresses that differ: the first one counts.
        self._accounts.save(replace(account, state=AccountState.DISABLED))
        linked = self._identities.find(newcomer.issuer, newcomer.subject)
        first = self._accounts.account(linked.account) if linked else None
        return first or account

    def _link(self, newcomer: Newcomer, account: Account) -> bool:
        return self._identities.link(
            LinkedIdentity(
                issuer=newcomer.issuer,
                subject=newcomer.subject,
                account=account.id,
                linked_at=self._clock.now(),
            )
        )

    def _granted(self, account: Account, posts: Sequence[Post]) -> Account:
        self._identities.grant(account.id, posts)
        return self._accounts.account(account.id) or account


def _address(newcomer: Newcomer) -> str:
    """Return their address, or one that no mail ever goes to (RFC 2606): people may have none there."""
    try:
        return email_of(newcomer.email)
    except UsageError:
        return f"{key_of(f'{newcomer.issuer} {newcomer.subject}')[:16]}@without-address.invalid"
