"""What scripts send and get on the ways to an account."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from bedside.domain.account import FIELD_CHARACTERS, Link
from bedside.people.passwords import LONGEST
from bedside.portal.people.shapes import Given, PostShape, ProfileShape, post_shape


class ChosenPassword(Given):
    """A password for an account that a link opens."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

    password: str = Field(max_length=LONGEST)


class InvitedAccount(ChosenPassword):
    """An account for whoever was invited; its address is that of the invitation."""

    profile: ProfileShape


class FirstAccount(InvitedAccount):
    """The first administrator's account."""

    email: str = Field(max_length=FIELD_CHARACTERS)
    clinician_and_engineer: bool = Field(
        False, description="Be both at the root too; an administrator alone sees no patient's data."
    )


class AskedAccount(InvitedAccount):
    """An account that somebody asks for."""

    email: str = Field(max_length=FIELD_CHARACTERS)
    at: str = Field("", max_length=100, description="Where they work, e.g. hospital/ct.")


class InvitedShape(BaseModel):
    """What an invitation is to."""

    email: str
    posts: list[PostShape]
    expires_at: datetime


class Forgot(Given):
    """Whose password was forgotten."""

    email: str = Field(max_length=FIELD_CHARACTERS)


class AskedShape(BaseModel):
    """It was taken; the same for every address."""

    by_mail: bool = Field(
        description="Whether this deployment sends mail at all; it says nothing of the address. Where it "
        "does not, an administrator makes the link."
    )


class RecoveredShape(BaseModel):
    """Whose password a link changes."""

    email: str


def invited_shape(link: Link) -> InvitedShape:
    """Return an invitation for whoever has its link."""
    return InvitedShape(
        email=link.email, posts=[post_shape(post) for post in link.posts], expires_at=link.expires_at
    )
