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
    client_id: str = Field(
        "", description="Client by which browsers sign in to the portal there; empty is by accounts only."
    )
    client_secret: str = Field("", description="Its secret; empty is a public client, protected by PKCE.")
    client_secret_file: str = Field("", description="File that holds it, instead.")
    scopes: tuple[str, ...] = Field(
        ("openid", "email", "profile"), description="What is asked for; some providers need groups too."
    )
    button: str = Field("", description="Text of the button; empty names the issuer's host.")
    sign_out_url: str = Field(
        "", description="Where browsers sign out there; empty asks the issuer (Cognito does not say)."
    )
