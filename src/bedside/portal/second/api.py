"""Second factors for scripts: one's own set up, renewed and removed, others' taken by administrators.

Every change of one's own takes the password, and a code where one is asked for at signing in, in the same
request: set up or removed by a token alone, it would be worth no more than the token.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from bedside.domain.person import Right
from bedside.people.passwords import LONGEST
from bedside.portal.access.caller import Caller
from bedside.portal.access.need import Somebody, anywhere
from bedside.portal.here import InHere
from bedside.portal.people.own import own_account
from bedside.portal.people.proof import prove_owner, prove_password
from bedside.portal.people.shapes import CODE_CHARACTERS, Given, Proof
from bedside.portal.second import deeds

router = APIRouter(prefix="/api/v1", tags=["people"])
ME = "/me/second-factor"


class SecondFactorShown(BaseModel):
    """Whether an account is asked for a code after its password."""

    confirmed: bool
    needed: bool = Field(description="Its roles demand one.")
    recovery_codes_left: int


class Password(Given):
    """The account's password."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)

    current: str = Field(max_length=LONGEST)


class FirstCode(Password):
    """The password, and the first code of what was begun."""

    code: str = Field(max_length=CODE_CHARACTERS, description="Of the app, six digits.")


class Begun(BaseModel):
    """What an app needs; it counts once its first code was sent, within 15 minutes."""

    secret: str = Field(description="Base32, for codes by time (RFC 6238): six digits, SHA-1, 30 seconds.")
    uri: str = Field(description="The same as an address, which a QR code holds.")


class RecoveryCodes(BaseModel):
    """Codes for a lost phone, shown this once; each opens the account once."""

    recovery_codes: list[str]


class Taken(BaseModel):
    """An account's second factor was taken; it signs in by its password, and its sessions have ended."""

    was_there: bool


@router.get(ME)
def mine(here: InHere, caller: Somebody) -> SecondFactorShown:
    """Whether the caller is asked for a code."""
    account = own_account(here, caller)
    factor = here.deployment.seconds.of(account)
    return SecondFactorShown(
        confirmed=factor is not None,
        needed=here.deployment.seconds.is_needed(account),
        recovery_codes_left=len(factor.recovery) if factor else 0,
    )


@router.post(f"{ME}/begin")
def begin(request: Request, here: InHere, caller: Somebody, given: Password) -> Begun:
    """Begin a second factor, or show again the one that was begun just now."""
    account = prove_password(request, here, caller, given.current)
    seconds = here.deployment.seconds
    factor = seconds.begin(account)
    return Begun(secret=factor.secret, uri=seconds.uri(account, factor))


@router.post(f"{ME}/confirm")
def confirm(request: Request, here: InHere, caller: Somebody, given: FirstCode) -> RecoveryCodes:
    """Confirm the one that was begun; from now on a code is asked for after the password."""
    account = prove_password(request, here, caller, given.current)
    return RecoveryCodes(recovery_codes=list(deeds.confirm(request, here, account, given.code)))


@router.post(f"{ME}/recovery")
def renew(request: Request, here: InHere, caller: Somebody, given: Proof) -> RecoveryCodes:
    """Make new recovery codes; the old ones end."""
    account = prove_owner(request, here, caller, given.current, given.code)
    return RecoveryCodes(recovery_codes=list(deeds.renew(here, account)))


@router.post(f"{ME}/remove", status_code=204)
def remove(request: Request, here: InHere, caller: Somebody, given: Proof) -> None:
    """Be asked for the password alone again, where one's roles allow it."""
    deeds.check_removable(here, own_account(here, caller))
    deeds.remove(here, prove_owner(request, here, caller, given.current, given.code))


@router.delete("/people/{account}/second-factor")
def reset(
    here: InHere, caller: Annotated[Caller, Depends(anywhere(Right.ADMINISTER))], account: str
) -> Taken:
    """Take the second factor from somebody who lost the phone and the recovery codes."""
    return Taken(was_there=deeds.take(here, caller, account))
