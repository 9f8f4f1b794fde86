"""People by the tokens of an OpenID Connect issuer; Amazon Cognito is one with claims of its own."""

from bedside.adapters.oidc.issuer import Issuer, issuer_of
from bedside.adapters.oidc.verify import OidcIdentity

__all__ = ["Issuer", "OidcIdentity", "issuer_of"]
