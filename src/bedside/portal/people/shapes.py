"""What scripts get and send about people."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bedside.domain.account import FIELD_CHARACTERS, Account, AccountState, ApiToken, Link, Profile, Session
from bedside.domain.person import PersonRole, Post, Right
from bedside.domain.tenant import path_of
from bedside.people.passwords import LONGEST
from bedside.people.tokens import DAYS, MOST_DAYS, Scope
from bedside.portal.shell.words import LANGUAGES

#: Of a code as it is typed; longer than any, with spaces.
CODE_CHARACTERS = 40
_LANGUAGE = rf"^({'|'.join(LANGUAGES)})?$"


class Given(BaseModel):
    """Something that a script sends."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class PostShape(Given):
    """A role at a node of the tree of tenants."""

    role: PersonRole
    node: str = Field(
        "", max_length=100, description="As people write it, e.g. hospital/ct; empty is the root."
    )


class ProfileShape(Given):
    """What somebody says of themselves."""

    name: str = Field(min_length=1, max_length=FIELD_CHARACTERS)
    department: str = Field("", max_length=FIELD_CHARACTERS)
    organisation: str = Field("", max_length=FIELD_CHARACTERS)
    profession: str = Field("", max_length=FIELD_CHARACTERS)
    phone: str = Field("", max_length=FIELD_CHARACTERS)
    language: str = Field("", pattern=_LANGUAGE, description="en, es, or empty for the browser's.")

    @field_validator("name", "department", "organisation", "profession", "phone")
    @classmethod
    def _printable(cls, text: str) -> str:
        if not text.isprintable():
            raise ValueError("ends of lines and the like are no part of it")
        return text

    def profile(self) -> Profile:
        """Return it as it is kept."""
        return Profile(**self.model_dump())


class AccountShape(BaseModel):
    """An account."""

    id: str
    email: str
    profile: ProfileShape
    state: AccountState
    posts: list[PostShape] = Field(description="Roles that were given here.")
    granted: list[PostShape] = Field(description="Roles by groups of the identity provider.")
    wish: str = Field(description="Node at which somebody who asked by themselves wants to work.")
    made_at: datetime
    seen_at: datetime | None = Field(description="Last sign-in.")


class MeShape(AccountShape):
    """One's own account, and what the caller may."""

    rights: dict[Right, list[str]] = Field(description="Right to the nodes at and below which it holds.")


class AccountsShape(BaseModel):
    """Some of the accounts that fit."""

    total: int
    accounts: list[AccountShape]


class SessionShape(BaseModel):
    """A browser in which somebody is signed in."""

    id: str
    agent: str
    made_at: datetime
    used_at: datetime
    expires_at: datetime
    current: bool


class Ended(BaseModel):
    """How many came to an end."""

    ended: int


class TokenShape(BaseModel):
    """An API token, without its secret."""

    id: str
    name: str
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None
    rights: list[Right] = Field(description="Empty is whatever its owner may.")
    nodes: list[str] = Field(description="Empty is wherever its owner may.")


class NewToken(Given):
    """A token to make."""

    name: str = Field(min_length=1, max_length=FIELD_CHARACTERS)
    days: int = Field(DAYS, ge=1, le=MOST_DAYS)
    rights: list[Right] = Field([], max_length=len(Right))
    nodes: list[str] = Field([], max_length=100)

    def scope(self) -> Scope:
        """Return what it is for."""
        return Scope(name=self.name, days=self.days, rights=tuple(self.rights), nodes=tuple(self.nodes))


class FirstToken(NewToken):
    """A token for whoever has none yet: what signing in takes, and what it is for."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

    email: str = Field(max_length=FIELD_CHARACTERS)
    current: str = Field(max_length=LONGEST, description="The account's password.")
    code: str = Field("", max_length=CODE_CHARACTERS, description="Where there is a second factor.")


class MadeToken(TokenShape):
    """A token that was just made; its secret is never shown again."""

    token: str


class Proof(Given):
    """What signing in takes, asked for in the same request by whatever changes how an account is opened."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

    current: str = Field(max_length=LONGEST, description="The account's password.")
    code: str = Field(
        "",
        max_length=CODE_CHARACTERS,
        description="Where there is a second factor: a code of the app, or a recovery code. It is used up.",
    )


class NewPassword(Proof):
    """Another password for one's own account."""

    password: str = Field(max_length=LONGEST)


class NewEmail(Proof):
    """Another address for one's own account."""

    email: str = Field(max_length=FIELD_CHARACTERS)


class NewInvitation(Given):
    """Whom to invite, and to what."""

    email: str = Field(max_length=FIELD_CHARACTERS)
    posts: list[PostShape] = Field(min_length=1, max_length=50)


class Approval(Given):
    """What somebody who asked shall be."""

    posts: list[PostShape] = Field(min_length=1, max_length=50)


class InvitationShape(BaseModel):
    """An invitation that nobody took yet."""

    id: str
    email: str
    posts: list[PostShape]
    made_at: datetime
    expires_at: datetime


class MadeInvitation(InvitationShape):
    """An invitation that was just made; its link is never shown again."""

    link: str
    mailed: bool = Field(description="Whether it is sent to the address, too.")


class MadeLink(BaseModel):
    """A link to choose another password."""

    link: str
    mailed: bool = Field(description="Whether it is sent to the owner, too.")


def post_shape(post: Post) -> PostShape:
    """Return a role for a script."""
    return PostShape(role=post.role, node=path_of(post.node))


def account_shape(account: Account) -> AccountShape:
    """Return an account for a script."""
    profile = account.profile
    return AccountShape(
        id=account.id,
        email=account.email,
        profile=ProfileShape.model_construct(
            name=profile.name,
            department=profile.department,
            organisation=profile.organisation,
            profession=profile.profession,
            phone=profile.phone,
            language=profile.language,
        ),
        state=account.state,
        posts=[post_shape(post) for post in account.posts],
        granted=[post_shape(post) for post in account.granted],
        wish=path_of(account.wish),
        made_at=account.made_at,
        seen_at=account.seen_at,
    )


def session_shape(session: Session, current: str) -> SessionShape:
    """Return a session for a script."""
    return SessionShape(
        id=session.id,
        agent=session.agent,
        made_at=session.made_at,
        used_at=session.used_at,
        expires_at=session.expires_at,
        current=session.id == current,
    )


def token_shape(token: ApiToken) -> TokenShape:
    """Return a token for a script."""
    return TokenShape(
        id=token.id,
        name=token.name,
        made_at=token.made_at,
        expires_at=token.expires_at,
        used_at=token.used_at,
        rights=list(token.rights),
        nodes=[path_of(node) for node in token.nodes],
    )


def invitation_shape(link: Link) -> InvitationShape:
    """Return an invitation for a script."""
    return InvitationShape(
        id=link.id,
        email=link.email,
        posts=[post_shape(post) for post in link.posts],
        made_at=link.made_at,
        expires_at=link.expires_at,
    )
