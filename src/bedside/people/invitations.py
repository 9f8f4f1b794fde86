"""Becoming somebody here: the first administrator's link, and invitations with roles."""

from collections.abc import Sequence

from bedside.domain.account import Account, Link, LinkKind, Profile, email_of, new_id, within_nodes
from bedside.domain.person import Person, PersonRole, Post, Right
from bedside.errors import NotFound, NotPermitted, UsageError
from bedside.people.administration import check_gives
from bedside.people.entering import Entering
from bedside.people.links import Links
from bedside.people.passwords import Passwords
from bedside.ports import Clock
from bedside.ports.accounts import Accounts


class Invitations:
    """Lets people in by links.

    Args:
        accounts: Keeps them.
        links: Makes and uses up links.
        passwords: Hashes.
        entering: Knows which passwords are refused.
        clock: The time.
    """

    def __init__(
        self, accounts: Accounts, links: Links, passwords: Passwords, entering: Entering, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._links = links
        self._passwords = passwords
        self._entering = entering
        self._clock = clock

    def first(self) -> str | None:
        """Return the secret of a new link for the first administrator, or None where there is one.

        Links from before work no more.
        """
        self._accounts.end_links(LinkKind.FIRST)
        if self._accounts.has_root_admin():
            return None
        return self._links.make(LinkKind.FIRST)[1]

    def look_first(self, secret: str) -> Link:
        """Return the first administrator's link.

        Raises:
            NotFound: It does not work, or there is an administrator by now.
        """
        link = self._links.look(LinkKind.FIRST, secret)
        if self._accounts.has_root_admin():
            raise NotFound("there is an administrator already", hint="sign in, or ask for an invitation")
        return link

    def join_first(
        self, secret: str, *, email: str, profile: Profile, password: str, roles: Sequence[PersonRole] = ()
    ) -> Account:
        """Make the first administrator's account.

        Args:
            secret: Of the link.
            email: Their address.
            profile: What they say of themselves.
            password: Theirs.
            roles: What they are at the root besides.

        Raises:
            NotFound: The link does not work any more.
            WeakPassword: The password is one.
            UsageError: The address is none, or has an account.
        """
        link = self.look_first(secret)
        posts = (Post(role=PersonRole.ADMIN), *(Post(role=role) for role in dict.fromkeys(roles)))
        return self._join(link, email_of(email), profile, password, posts)

    def invite(
        self, email: str, posts: Sequence[Post], *, by: Person | None, made_by: str = ""
    ) -> tuple[Link, str]:
        """Make an invitation; return it and its secret.

        Args:
            email: Whom.
            posts: What they shall be.
            by: Who invites; None is the shell, which may all.
            made_by: Their account.

        Raises:
            UsageError: The address is none, or no role is given.
            NotPermitted: They may not give such a role there.
        """
        address = email_of(email)
        if not posts:
            raise UsageError("an invitation gives a role at least")
        if by is not None:
            check_gives(by, posts)
        return self._links.make(LinkKind.INVITATION, email=address, posts=posts, made_by=made_by)

    def look(self, secret: str) -> Link:
        """Return an invitation that works still.

        Raises:
            NotFound: It does not: used, too old, taken back, or its maker may not give these roles now.
        """
        link = self._links.look(LinkKind.INVITATION, secret)
        if link.made_by:
            maker = self._accounts.account(link.made_by)
            try:
                check_gives(maker.person if maker else Person(subject=""), link.posts)
            except NotPermitted as exc:
                raise NotFound("this link does not work: whoever made it may not do so any more") from exc
        return link

    def join(self, secret: str, *, profile: Profile, password: str) -> Account:
        """Make the account of somebody who was invited.

        Raises:
            NotFound: The link does not work.
            WeakPassword: The password is one.
            UsageError: The address has an account: it takes the invitation by `accept`.
        """
        link = self.look(secret)
        return self._join(link, link.email, profile, password, link.posts)

    def accept(self, secret: str, account: Account) -> Account:
        """Give an account the roles of an invitation to its address.

        Raises:
            NotFound: The link does not work, or is for another address.
        """
        link = self.look(secret)
        if link.email != account.email:
            raise NotFound("this invitation is for another address")
        self._links.use(link)
        for post in link.posts:
            account = account.given(post)
        return self._accounts.save(account)

    def open(self, by: Person | None) -> Sequence[Link]:
        """Return invitations that were not taken yet, of those that somebody could have made."""
        nodes = by.nodes(Right.ADMINISTER) if by else ("",)
        now = self._clock.now()
        every = [link for link in self._accounts.links(LinkKind.INVITATION) if link.expires_at > now]
        return [link for link in every if all(within_nodes(post, nodes) for post in link.posts)]

    def withdraw(self, link_id: str, by: Person | None) -> Link:
        """Take an invitation back.

        Raises:
            NotFound: There is none that they could have made.
        """
        found = next((link for link in self.open(by) if link.id == link_id), None)
        if found is None or not self._accounts.take_link(found.id):
            raise NotFound("no such invitation")
        return found

    def _join(
        self, link: Link, email: str, profile: Profile, password: str, posts: Sequence[Post]
    ) -> Account:
        self._entering.check(password, email, profile.name)
        if self._accounts.by_email(email) is not None:
            raise UsageError("this address has an account already", hint="sign in")
        account = Account(
            id=new_id(),
            email=email,
            profile=profile,
            posts=tuple(posts),
            password=self._passwords.hash(password),
            made_at=self._clock.now(),
        )
        self._links.use(link)
        if not self._accounts.add(account):
            raise UsageError("this address has an account already", hint="sign in")
        return account
