"""What a person is told of who signs in: what machines know by themselves, and what a file here may lack."""

import tomllib
from collections.abc import Iterator, Mapping

from bedside.config import IdentitySettings


def signing_in(outputs: Mapping[str, object], named: IdentitySettings) -> Iterator[str]:
    """Yield sentences about the deployment's pool of accounts; none where it has none.

    Args:
        outputs: Of Terraform.
        named: The section ``[identity]``, without what machines are told.
    """
    issuer, client = outputs.get("issuer"), outputs.get("client_id")
    if not issuer or not client:
        return
    if not named.issuer:
        yield (
            "people sign in through Cognito, which machines know; for commands here add to bedside.toml: "
            f'[identity] issuer = "{issuer}" clients = ["{client}"]'
        )
    elif named.issuer != issuer:
        yield f"people sign in at {named.issuer}, as bedside.toml has it, and not through Cognito at {issuer}"
    elif client not in named.clients:
        yield f"identity.clients lacks Cognito's client {client}: its tokens are refused"


def names_issuer(configuration: bytes) -> bool:
    """Whether the file that machines read says itself who knows people.

    Args:
        configuration: The ``bedside.toml``, which was read before.
    """
    section = tomllib.loads(configuration.decode("utf-8")).get("identity", {})
    return bool(section.get("issuer"))
