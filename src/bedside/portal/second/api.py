"""Second factors for scripts: looked at, and taken by administrators.

None is set up or removed by a token: it would be worth no more than the token.
"""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from bedside.domain.person import Right
from bedside.errors import NotFound
from bedside.portal.access.caller import Caller
from bedside.portal.access.need import Somebody, anywhere
from bedside.portal.here import InHere
from bedside.portal.second.pages import taken

router = APIRouter(prefix="/api/v1", tags=["people"])


class SecondFactorShown(BaseModel):
    """Whether an account is asked for a code after its password."""

    confirmed: bool
    needed: bool = Field(description="Its roles demand one.")
    recovery_codes_left: int


class Taken(BaseModel):
    """An account's second factor was taken; it signs in by its password, and its sessions have ended."""

    was_there: bool


@router.get("/me/second-factor")
def mine(here: InHere, caller: Somebody) -> SecondFactorShown:
    """Whether the caller is asked for a code."""
    account = here.deployment.records.accounts.account(caller.account) if caller.account else None
    if account is None:
        raise NotFound("the caller has no account here")
    factor = here.deployment.seconds.of(account)
    return SecondFactorShown(
        confirmed=factor is not None,
        needed=here.deployment.seconds.is_needed(account),
        recovery_codes_left=len(factor.recovery) if factor else 0,
    )


@router.delete("/people/{account}/second-factor")
def reset(
    here: InHere, caller: Annotated[Caller, Depends(anywhere(Right.ADMINISTER))], account: str
) -> Taken:
    """Take the second factor from somebody who lost the phone and the recovery codes."""
    return Taken(was_there=taken(here, caller, account))
