"""A password that was forgotten: a link by e-mail, or from an administrator, to choose another."""

from bedside.domain.account import Account, AccountState, LinkKind, email_of
from bedside.errors import NotFound, UsageError
from bedside.people.entering import Entering
from bedside.people.links import Links
from bedside.ports.accounts import Accounts


class Recovery:
    """Makes and takes links to choose a new password.

    Args:
        accounts: Keeps them.
        links: Makes and uses up links.
        entering: Changes passwords.
    """

    def __init__(self, accounts: Accounts, links: Links, entering: Entering) -> None:
        self._accounts = accounts
        self._links = links
        self._entering = entering

    def ask(self, email: str) -> tuple[Account, str] | None:
        """Return an account and the secret of a new link, or None where there is nobody to send it to."""
        try:
            account = self._accounts.by_email(email_of(email))
        except UsageError:
            return None
        if account is None or account.state is not AccountState.ACTIVE:
            return None
        return account, self.make(account)

    def make(self, account: Account, *, made_by: str = "") -> str:
        """Return the secret of a new link; those from before work no more."""
        self._accounts.end_links(LinkKind.RECOVERY, account=account.id)
        kind = LinkKind.RECOVERY
        return self._links.make(kind, email=account.email, account=account.id, made_by=made_by)[1]

    def look(self, secret: str) -> Account:
        """Return whose password a link changes.

        Raises:
            NotFound: The link does not work.
        """
        link = self._links.look(LinkKind.RECOVERY, secret)
        account = self._accounts.account(link.account)
        if account is None or account.state is not AccountState.ACTIVE:
            raise NotFound("this link does not work: the account is disabled")
        if link.email != account.email:  # written at the moment at which its owner left that address
            raise NotFound("this link does not work: it went to an address of before")
        return account

    def choose(self, secret: str, password: str) -> Account:
        """Give an account a new password; all its sessions end, and all tokens: they may be somebody else's.

        Raises:
            NotFound: The link does not work.
            WeakPassword: The password is one.
        """
        account = self.look(secret)
        self._entering.check(password, account.email, account.profile.name)
        self._links.use(self._links.look(LinkKind.RECOVERY, secret))
        changed = self._entering.change_password(account, password)
        self._accounts.end_tokens(account.id)
        return changed
