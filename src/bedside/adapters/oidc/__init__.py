"""People by the tokens of an OpenID Connect issuer; Amazon Cognito is one with claims of its own."""
