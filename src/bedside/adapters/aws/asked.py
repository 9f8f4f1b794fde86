"""Errors of boto3 when an account is asked or changed, turned into ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions

from bedside.deploy.permissions import CODES, Refusal, action_of, refusal_in
from bedside.errors import BedsideError, ConfigError, Unavailable

#: Codes with which AWS says that it does not know the credentials.
_UNKNOWN_KEYS = frozenset(
    {"InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure", "SignatureDoesNotMatch"}
)
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
LOG_IN = "aws configure, or aws sso login; then bedside deploy plan"


@contextmanager
def asked(service: str, doing: str, who: str = "") -> Iterator[None]:
    """Turn boto3's errors into ours.

    Args:
        service: As policies name it, for a refusal that does not name its action.
        doing: What is being done, e.g. ``listing regions``.
        who: ARN of the caller, where it is known.
    """
    try:
        yield
    except exceptions.ClientError as exc:
        raise _refused(exc, service, doing, who) from exc
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as exc:
        raise ConfigError(f"{doing}: no AWS credentials were found here", hint=LOG_IN) from exc
    except (exceptions.TokenRetrievalError, exceptions.SSOTokenLoadError) as exc:
        raise ConfigError(f"{doing}: the sign-in to AWS has expired", hint="aws sso login") from exc
    except (exceptions.ProfileNotFound, exceptions.NoRegionError, exceptions.InvalidRegionError) as exc:
        raise ConfigError(f"{doing}: {exc}", hint="aws configure list") from exc
    except exceptions.BotoCoreError as exc:
        raise Unavailable(f"{doing}: AWS does not answer: {exc}", hint="try again") from exc


def code_of(exc: exceptions.ClientError) -> str:
    """Return AWS's code of an error."""
    return str(exc.response.get("Error", {}).get("Code", ""))


def _refused(exc: exceptions.ClientError, service: str, doing: str, who: str) -> BedsideError:
    code, text = code_of(exc), str(exc.response.get("Error", {}).get("Message", ""))
    if code in _UNKNOWN_KEYS:
        return ConfigError(f"{doing}: AWS does not know these credentials ({code})", hint=LOG_IN)
    if code in _EXPIRED:
        return ConfigError(f"{doing}: the credentials have expired", hint="aws sso login")
    if code in CODES or code == "403":
        refusal = refusal_in(text, who=who) or Refusal(
            action=action_of(service, exc.operation_name), who=who, resource="", denied=False
        )
        return refusal.error()
    return Unavailable(f"{doing}: AWS refuses: {code} {text}".rstrip(), hint="try again")
