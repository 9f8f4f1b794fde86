"""An account of the portal: who somebody is here, by what they are known, and the links that let them in.

Secrets are never kept: of a password its Argon2 hash, of a session, a token or a link the SHA-256 of what
the browser or script brings. Those are 256 random bits, so that nobody finds them by trying.
"""

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from bedside.domain.person import Person, PersonRole, Post, Right
from bedside.domain.tenant import holds
from bedside.errors import UsageError

#: Begins every API token, so that scanners for secrets and people know one when they see it.
TOKEN_PREFIX = "bsd_"  # noqa: S105 - the public beginning of every token
#: Longest text of a profile's field.
FIELD_CHARACTERS = 200
_EMAIL = re.compile(r"[^@\s\x00-\x1f<>(),;:\"\[\]\\]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
#: What RFC 5321 lets a path be, less its brackets.
_EMAIL_CHARACTERS = 254


class LastAdministrator(UsageError):
    """A change that would leave nobody who administers the root."""

    def __init__(self) -> None:
        super().__init__(
            "this is the last administrator of the root: nobody could let others in any more",
            hint="make somebody else an administrator of the root first",
        )


class AddressTaken(UsageError):
    """A change that would give two accounts one e-mail address."""

    def __init__(self) -> None:
        super().__init__("another account has this e-mail address")


class AccountState(StrEnum):
    """Whether somebody may sign in."""

    WAITING = "waiting"  # asked for an account by themselves; an administrator looks
    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What people say of themselves; all but the name may be empty.

    Attributes:
        name: As they want to be called.
        department: Where they work.
        organisation: Hospital, practice, company.
        profession: What they do there.
        phone: Where they are reached.
        language: ``en`` or ``es``; empty is what the browser asks for.
    """

    name: str
    department: str = ""
    organisation: str = ""
    profession: str = ""
    phone: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account.

    Attributes:
        id: Ours, random; what logs and the audit trail call the person.
        email: In small letters; unique.
        profile: What they say of themselves.
        state: Whether they may sign in.
        posts: Roles that were given here, each at its node.
        granted: Roles by groups of an identity provider, as they were at the last sign-in there; a change of
            the account leaves them alone.
        wish: Node of the tree at which somebody who asked by themselves wants to work; empty says none.
        password: Hash, or empty where none was ever chosen.
        made_at: When.
        seen_at: Of the last sign-in.
        revision: Grows with every change; a change is written only over the one it was made from.
    """

    id: str
    email: str = field(repr=False)
    profile: Profile = field(repr=False)
    made_at: datetime
    state: AccountState = AccountState.ACTIVE
    posts: tuple[Post, ...] = ()
    granted: tuple[Post, ...] = ()
    wish: str = ""
    password: str = field(default="", repr=False)
    seen_at: datetime | None = None
    revision: int = 0

    @property
    def person(self) -> Person:
        """Who they are to everything that asks for rights."""
        return Person(subject=self.id, posts=tuple(dict.fromkeys((*self.posts, *self.granted))))

    @property
    def is_root_admin(self) -> bool:
        """Whether they may let everybody else in."""
        root = Post(role=PersonRole.ADMIN)
        return self.state is AccountState.ACTIVE and root in (*self.posts, *self.granted)

    def given(self, post: Post) -> "Account":
        """Return it with one role more."""
        return self if post in self.posts else replace(self, posts=(*self.posts, post))

    def taken(self, post: Post) -> "Account":
        """Return it without a role."""
        return replace(self, posts=tuple(held for held in self.posts if held != post))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser in which somebody is signed in.

    Attributes:
        id: For lists; lets nobody in.
        key: Hash of what the browser's cookie holds.
        account: Whose.
        made_at: When they signed in.
        used_at: When they were last seen, to the minute or so.
        expires_at: At the latest.
        agent: Program and system, in few words.
    """

    id: str
    key: str = field(repr=False)
    account: str
    made_at: datetime
    used_at: datetime
    expires_at: datetime
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """What a script brings instead of a session.

    Attributes:
        id: For lists; lets nobody in.
        key: Hash of the token.
        account: Whose.
        name: What its maker calls it.
        made_at: When.
        expires_at: It is good until then.
        rights: What it may do at most; empty is whatever its owner may.
        nodes: Where at most; empty is wherever its owner may.
        used_at: When it was last seen, to the minute or so.
    """

    id: str
    key: str = field(repr=False)
    account: str
    name: str
    made_at: datetime
    expires_at: datetime
    rights: tuple[Right, ...] = ()
    nodes: tuple[str, ...] = ()
    used_at: datetime | None = None


class LinkKind(StrEnum):
    """What a one-time link does."""

    FIRST = "first"  # makes the first administrator's account
    INVITATION = "invitation"  # makes an account with roles
    RECOVERY = "recovery"  # lets somebody choose a new password
    HALFWAY = "halfway"  # knew the password, and is asked for a code now; lies in a cookie


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that works once.

    Attributes:
        id: For lists; lets nobody in.
        key: Hash of the secret in its address.
        kind: What it does.
        email: Whom it is for; empty for the first administrator.
        account: Whose password it changes; empty otherwise.
        posts: Roles that an invitation gives.
        made_by: Account of who made it; empty for the shell and for the system itself.
        made_at: When.
        expires_at: It works until then.
    """

    id: str
    key: str = field(repr=False)
    kind: LinkKind
    email: str = field(default="", repr=False)
    account: str = ""
    posts: tuple[Post, ...] = ()
    made_by: str = ""
    made_at: datetime
    expires_at: datetime


def new_id() -> str:
    """Return an id for something new."""
    return secrets.token_hex(8)


def new_secret(prefix: str = "") -> str:
    """Return 256 random bits as text for an address or a header."""
    return prefix + secrets.token_urlsafe(32)


def key_of(secret: str) -> str:
    """Return what is kept of a secret that nobody can guess: its SHA-256."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def email_of(text: str) -> str:
    """Return an address as it is kept and compared.

    Raises:
        UsageError: It is none; the message does not repeat it.
    """
    email = text.strip().lower()
    if len(email) > _EMAIL_CHARACTERS or not _EMAIL.fullmatch(email):
        raise UsageError(f"e-mail address of {len(text)} characters: it is none")
    return email


def within_nodes(post: Post, nodes: Iterable[str]) -> bool:
    """Whether a role lies at or below one of some nodes."""
    return any(holds(node, post.node) for node in nodes)
