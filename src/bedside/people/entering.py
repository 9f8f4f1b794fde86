"""Signing in with a password, asking for an account, and changing what is one's own."""

from dataclasses import replace

from bedside.domain.account import Account, AccountState, LinkKind, Profile, email_of, new_id
from bedside.errors import UsageError
from bedside.people.passwords import Passwords, weakness
from bedside.ports import Clock
from bedside.ports.accounts import Accounts


class WeakPassword(UsageError):
    """A password that is refused; `weakness` says why."""

    def __init__(self, why: str) -> None:
        super().__init__(f"password: it is refused ({why})", hint="choose a longer one, of several words")
        self.weakness = why


class Entering:
    """What people do by themselves.

    Args:
        accounts: Keeps them.
        passwords: Hashes and checks.
        clock: The time.
    """

    def __init__(self, accounts: Accounts, passwords: Passwords, clock: Clock) -> None:
        self._accounts = accounts
        self._passwords = passwords
        self._clock = clock

    def enter(self, email: str, password: str) -> Account | None:
        """Return the account of an address and a password, or None; as slow for unknown addresses.

        A hash of other costs than today's is made anew.
        """
        account = self._by(email)
        kept = account.password if account else ""
        if not self._passwords.fits(kept, password) or account is None:
            return None
        if account.state is not AccountState.ACTIVE:
            return None
        if self._passwords.is_outdated(kept):
            account = self._accounts.save(replace(account, password=self._passwords.hash(password)))
        return account

    def proves(self, account: Account, password: str) -> bool:
        """Whether it is the account's own password."""
        return self._passwords.fits(account.password, password)

    def check(self, password: str, email: str, name: str = "") -> None:
        """Refuse a weak password.

        Raises:
            WeakPassword: It is one.
        """
        why = weakness(password, (name, email, email.partition("@")[0]))
        if why is not None:
            raise WeakPassword(why.value)

    def ask(self, email: str, profile: Profile, password: str, *, wish: str = "") -> Account | None:
        """Ask for an account, which waits until an administrator approves it.

        Returns:
            The account, or None where the address has one: nobody but its owner may learn that.

        Raises:
            WeakPassword: The password is one.
            UsageError: The address is none.
        """
        address = email_of(email)
        self.check(password, address, profile.name)
        account = Account(
            id=new_id(),
            email=address,
            profile=profile,
            state=AccountState.WAITING,
            wish=wish,
            password=self._passwords.hash(password),
            made_at=self._clock.now(),
        )
        return account if self._accounts.add(account) else None

    def describe(self, account: Account, profile: Profile) -> Account:
        """Change what somebody says of themselves."""
        return self._accounts.save(replace(account, profile=profile))

    def readdress(self, account: Account, email: str) -> Account:
        """Give an account another address.

        Raises:
            UsageError: It is none, or another account's.
        """
        after = self._accounts.save(replace(account, email=email_of(email)))
        self._accounts.end_links(LinkKind.RECOVERY, account=account.id)  # they went to the old address
        return after

    def change_password(self, account: Account, password: str) -> Account:
        """Give an account another password; its sessions, links to recover it and sign-ins under way end.

        Raises:
            WeakPassword: The password is one.
        """
        self.check(password, account.email, account.profile.name)
        after = self._accounts.save(replace(account, password=self._passwords.hash(password)))
        self._accounts.end_sessions(account.id)
        for kind in (LinkKind.RECOVERY, LinkKind.HALFWAY):  # whoever is halfway brought the old one
            self._accounts.end_links(kind, account=account.id)
        return after

    def _by(self, email: str) -> Account | None:
        try:
            return self._accounts.by_email(email_of(email))
        except UsageError:
            return None
