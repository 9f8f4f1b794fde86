"""Terraform's errors, turned into ours."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bedside.deploy.permissions import refusal_in
from bedside.errors import BedsideError, ConfigError, Unavailable

#: What an error of AWS or of the network has in it, and one of the configuration has not.
_OUTSIDE = re.compile(
    r"api error|operation error|https response error|dial tcp|timeout|connection refused|i/o|giving up"
)
#: Credentials that ended in the middle, or were never good, as the provider and the state's backend word it.
_CREDENTIALS = re.compile(
    r"ExpiredToken|RequestExpired|InvalidClientTokenId|InvalidAccessKeyId|SignatureDoesNotMatch"
    r"|No valid credential sources|failed to refresh cached credentials"
)
_LOCKED = "Error acquiring the state lock"
_MOVED = "Backend configuration changed"
_EXISTS, _PROVIDER = "EntityAlreadyExists", "CreateOpenIDConnectProvider"
_LONGEST = 400


def error_of(diagnostics: Sequence[Mapping[str, Any]], *, doing: str, who: str) -> BedsideError:
    """Return the error that Terraform's diagnostics tell of.

    Args:
        diagnostics: Those of severity ``error``, in Terraform's JSON form.
        doing: What was done, e.g. ``terraform apply``.
        who: ARN of the caller.
    """
    texts = [f"{item.get('summary', '')}\n{item.get('detail', '')}" for item in diagnostics]
    for text in texts:
        if refusal := refusal_in(text, who=who):
            return refusal.error()
    text = "\n".join(texts)
    if _LOCKED in text:
        lock = re.search(r"ID:\s+(\S+)", text)
        unlock = f"terraform force-unlock {lock[1] if lock else 'ID'}"
        return Unavailable(
            f"{doing}: someone else deploys this right now, or was cut off while doing so",
            hint=f"wait; if nobody does: {unlock} in the folder .bedside/deploy/NAME",
        )
    if _CREDENTIALS.search(text):
        return ConfigError(
            f"{doing}: AWS takes these credentials no more, or never did; what was made is remembered",
            hint="aws sso login or aws configure, then the same command again",
        )
    if _MOVED in text:
        return ConfigError(
            f"{doing}: the state of this deployment is kept elsewhere than before",
            hint="give the same --state and deploy.state_bucket as at the first apply",
        )
    if _EXISTS in text and _PROVIDER in text:
        return ConfigError(
            f"{doing}: the account has an identity provider for GitHub already, and can have one only",
            hint="aws iam list-open-id-connect-providers, then set deploy.oidc_provider_arn to its ARN",
        )
    if not diagnostics:
        return Unavailable(f"{doing}: it ended without a word", hint="bedside -v deploy plan")
    first = diagnostics[0]
    detail = " ".join(str(first.get("detail", "")).split())[:_LONGEST]
    where = f"{first['address']}: " if first.get("address") else ""
    more = f" (and {len(diagnostics) - 1} more)" if len(diagnostics) > 1 else ""
    message = f"{doing}: {where}{' '.join(str(first.get('summary', '')).split())}"
    message += f": {detail}{more}" if detail else more
    if _OUTSIDE.search(text):
        return Unavailable(message, hint="try again: what was made is remembered, and only the rest is done")
    return ConfigError(message, hint="bedside config show, then bedside deploy plan")
