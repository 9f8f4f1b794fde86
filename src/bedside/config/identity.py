"""The section ``[identity]``: who says who people are."""

from pydantic import BaseModel, ConfigDict, Field


class IdentitySettings(BaseModel):
    """An OpenID Connect issuer whose tokens people bring, e.g. a Cognito pool."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(
        "", description="Its address, as in its tokens; empty trusts whoever is on this machine."
    )
    clients: tuple[str, ...] = Field((), description="Client ids (audiences) whose tokens are taken.")
    groups_claim: str = Field("", description="Where tokens list groups; empty is cognito:groups, or groups.")
    keys_url: str = Field("", description="Where its keys are (JWKS); empty asks the issuer.")
