"""What administrators do to accounts, and how far each may go.

Whoever administers a node may give any role at it and below. Disabling somebody, or letting them choose a
new password, is about all that they are: it takes an administrator of every node at which they have a role.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from bedside.domain.account import Account, AccountState, LinkKind, within_nodes
from bedside.domain.person import Person, Post, Right
from bedside.domain.tenant import holds, path_of
from bedside.errors import NotFound, NotPermitted, UsageError
from bedside.ports.accounts import AccountFilter, Accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some of the accounts that fit.

    Attributes:
        accounts: These.
        total: How many there are.
    """

    accounts: Sequence[Account]
    total: int


class Administration:
    """Lists and changes accounts for somebody who administers a part of the tree, or for the shell (None).

    Args:
        accounts: Keeps them.
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def page(
        self,
        by: Person | None,
        *,
        search: str = "",
        state: AccountState | None = None,
        limit: int,
        offset: int = 0,
    ) -> Page:
        """Return accounts that somebody may see, by address."""
        nodes = by.nodes(Right.ADMINISTER) if by else None
        which = AccountFilter(nodes=nodes, search=search.strip(), state=state)
        found = self._accounts.find(which, limit=limit, offset=offset)
        return Page(accounts=found, total=self._accounts.count(which))

    def look(self, by: Person | None, account_id: str) -> Account:
        """Return an account that somebody may see.

        Raises:
            NotFound: There is none.
        """
        account = self._accounts.account(account_id)
        if account is None or (by is not None and not _sees(by, account)):
            raise NotFound("no such account", hint="bedside people list")
        return account

    def give(self, by: Person | None, account_id: str, post: Post) -> Account:
        """Give somebody a role.

        Raises:
            NotFound: There is no such account that they may see.
            NotPermitted: They do not administer that node.
        """
        account = self.look(by, account_id)
        if by is not None:
            check_gives(by, [post])
        if post in account.posts:
            return account
        return self._accounts.save(account.given(post))

    def take(self, by: Person | None, account_id: str, post: Post) -> Account:
        """Take a role from somebody.

        Raises:
            NotFound: There is no such account that they may see, or it has no such role.
            NotPermitted: They do not administer that node.
            UsageError: It is the last administrator of the root.
        """
        account = self.look(by, account_id)
        if by is not None:
            check_gives(by, [post])
        if post not in account.posts:
            raise NotFound("no such role of this account")
        return self._accounts.save(account.taken(post))

    def approve(self, by: Person | None, account_id: str, posts: Sequence[Post]) -> Account:
        """Let somebody in who asked by themselves.

        Raises:
            NotFound: There is no such account that they may see.
            NotPermitted: They do not administer these nodes.
            UsageError: It waits for nothing.
        """
        account = self.look(by, account_id)
        if account.state is not AccountState.WAITING:
            raise UsageError(f"account {account.id} is {account.state}, and waits for nothing")
        if by is not None:
            check_gives(by, posts)
        for post in posts:
            account = account.given(post)
        return self._accounts.save(replace(account, state=AccountState.ACTIVE, wish=""))

    def disable(self, by: Person | None, account_id: str) -> Account:
        """Let somebody in no more; all that they are known by ends, and invitations of theirs too.

        Raises:
            NotFound: There is no such account that they may see.
            NotPermitted: It has roles beyond what they administer.
            UsageError: It is the last administrator of the root.
        """
        account = self.whole(by, account_id)
        if account.state is AccountState.DISABLED:
            return account
        after = self._accounts.save(replace(account, state=AccountState.DISABLED))
        self._accounts.end_sessions(account.id)
        self._accounts.end_tokens(account.id)
        self._accounts.end_links(LinkKind.RECOVERY, account=account.id)
        self._accounts.end_links(LinkKind.INVITATION, made_by=account.id)
        return after

    def enable(self, by: Person | None, account_id: str) -> Account:
        """Let somebody in again.

        Raises:
            NotFound: There is no such account that they may see.
            NotPermitted: It has roles beyond what they administer.
            UsageError: It waits for approval.
        """
        account = self.whole(by, account_id)
        if account.state is AccountState.WAITING:
            raise UsageError(f"account {account.id} waits for approval")
        if account.state is AccountState.ACTIVE:
            return account
        return self._accounts.save(replace(account, state=AccountState.ACTIVE))

    def whole(self, by: Person | None, account_id: str) -> Account:
        """Return an account that somebody rules as a whole.

        Raises:
            NotFound: There is no such account that they may see.
            NotPermitted: It has roles beyond what they administer.
        """
        account = self.look(by, account_id)
        if by is not None and not rules(by, account):
            raise NotPermitted(
                f"account {account.id} has roles beyond what you administer",
                hint="take its roles away where you administer, or ask an administrator further up",
            )
        return account

    def other(self, by: Person | None, account_id: str) -> Account:
        """Return an account that somebody rules as a whole and that is not theirs.

        How one's own is opened is changed by its password and its codes: administering proves neither.

        Raises:
            NotFound: There is no such account that they may see.
            NotPermitted: It has roles beyond what they administer, or is their own.
        """
        account = self.whole(by, account_id)
        if by is not None and by.subject == account.id:
            raise NotPermitted(
                "this is your own account: being an administrator opens it no other way",
                hint="change it under /me; bedside people, or another administrator, helps who lost it",
            )
        return account


def rules(by: Person, account: Account) -> bool:
    """Whether somebody administers every node at which an account has a role, or wishes one."""
    nodes, posts = by.nodes(Right.ADMINISTER), account.person.posts  # those by groups count too
    if not posts:
        return any(holds(node, account.wish) for node in nodes)
    return all(within_nodes(post, nodes) for post in posts)


def check_gives(by: Person, posts: Iterable[Post]) -> None:
    """Refuse to give or take roles at nodes that somebody does not administer.

    Raises:
        NotPermitted: They do not.
    """
    nodes = by.nodes(Right.ADMINISTER)
    for post in posts:
        if not within_nodes(post, nodes):
            where = path_of(post.node) or "the root"
            raise NotPermitted(f"person {by.subject}: does not administer {where}")


def _sees(by: Person, account: Account) -> bool:
    nodes = by.nodes(Right.ADMINISTER)
    wished = any(holds(node, account.wish) for node in nodes)
    return wished or any(within_nodes(post, nodes) for post in account.person.posts)
