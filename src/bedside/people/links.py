"""One-time links: a secret in an address, of which only the hash is kept."""

from collections.abc import Sequence
from datetime import timedelta

from bedside.domain.account import Link, LinkKind, key_of, new_id, new_secret
from bedside.domain.person import Post
from bedside.errors import ErrorCode, NotFound, told
from bedside.ports import Clock
from bedside.ports.accounts import Accounts

#: How long a link of each kind works.
VALID = {
    LinkKind.FIRST: timedelta(hours=24),
    LinkKind.INVITATION: timedelta(days=7),
    LinkKind.RECOVERY: timedelta(hours=1),
    LinkKind.HALFWAY: timedelta(minutes=15),
}


class Links:
    """Makes and uses up links; threads may share it.

    Args:
        accounts: Keeps them.
        clock: The time.
    """

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock

    def make(
        self,
        kind: LinkKind,
        *,
        email: str = "",
        account: str = "",
        posts: Sequence[Post] = (),
        made_by: str = "",
    ) -> tuple[Link, str]:
        """Make a link; return it and its secret."""
        now = self._clock.now()
        secret = new_secret()
        link = Link(
            id=new_id(),
            key=key_of(secret),
            kind=kind,
            email=email,
            account=account,
            posts=tuple(posts),
            made_by=made_by,
            made_at=now,
            expires_at=now + VALID[kind],
        )
        self._accounts.add_link(link)
        return link, secret

    def look(self, kind: LinkKind, secret: str) -> Link:
        """Return a link that works still.

        Raises:
            NotFound: It is none, was used, or expired.
        """
        link = self._accounts.link(key_of(secret))
        if link is None or link.kind is not kind or link.expires_at <= self._clock.now():
            raise NotFound(
                "this link does not work: it was used before, is too old, or was never made",
                told=told(ErrorCode.LINK_DEAD),
            )
        return link

    def use(self, link: Link) -> None:
        """Use a link up.

        Raises:
            NotFound: Somebody did so before.
        """
        if not self._accounts.take_link(link.id):
            raise NotFound("this link was used before", told=told(ErrorCode.LINK_DEAD))
