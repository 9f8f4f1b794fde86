"""The tie between one's account and an identity provider, for scripts: looked at, and ended.

None is made here: that takes a browser that is sent to the provider and comes back.
"""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from bedside.portal.access.need import Somebody
from bedside.portal.federated import deeds
from bedside.portal.here import InHere
from bedside.portal.people.own import own_account
from bedside.portal.people.proof import prove_owner
from bedside.portal.people.shapes import Proof

router = APIRouter(prefix="/api/v1/me/oidc", tags=["me"])


class ConnectedShown(BaseModel):
    """Whether the identity provider opens an account."""

    issuer: str
    connected: bool = Field(description="Somebody who signs in there is let in to this account here.")


@router.get("")
def mine(here: InHere, caller: Somebody) -> ConnectedShown:
    """Whether the identity provider opens the caller's account."""
    deeds.provider_of(here)
    known = here.deployment.federation.of(own_account(here, caller).id)
    return ConnectedShown(issuer=here.deployment.settings.identity.issuer, connected=bool(known))


@router.post("/disconnect", status_code=204)
def disconnect(request: Request, here: InHere, caller: Somebody, given: Proof) -> None:
    """Let the provider open the caller's account no more; what groups there gave it goes too."""
    deeds.disconnect(here, prove_owner(request, here, caller, given.current, given.code))
