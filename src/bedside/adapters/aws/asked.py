"""Errors of boto3 when an account is asked or changed, turned into ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions

from bedside.adapters.aws.errors import EXPIRED, SKEWED, UNKNOWN, code_of
from bedside.deploy.permissions import CODES, Refusal, action_of, refusal_in
from bedside.errors import BedsideError, ConfigError, Unavailable

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
    except (exceptions.TokenRetrievalError, exceptions.SSOError, exceptions.LoginError) as exc:
        raise ConfigError(f"{doing}: the sign-in to AWS has expired", hint="aws sso login") from exc
    except exceptions.CredentialRetrievalError as exc:
        raise ConfigError(
            f"{doing}: AWS credentials cannot be had: {exc}", hint="aws configure list"
        ) from exc
    except (exceptions.ProfileNotFound, exceptions.NoRegionError, exceptions.InvalidRegionError) as exc:
        raise ConfigError(f"{doing}: {exc}", hint="aws configure list") from exc
    except exceptions.BotoCoreError as exc:
        raise Unavailable(f"{doing}: AWS does not answer: {exc}", hint="try again") from exc


def _refused(exc: exceptions.ClientError, service: str, doing: str, who: str) -> BedsideError:
    code, text = code_of(exc), str(exc.response.get("Error", {}).get("Message", ""))
    if code in UNKNOWN:
        return ConfigError(f"{doing}: AWS does not know these credentials ({code})", hint=LOG_IN)
    if code in EXPIRED:
        return ConfigError(f"{doing}: the credentials have expired", hint="aws sso login")
    if code == SKEWED:
        return ConfigError(f"{doing}: this machine's clock is wrong, says AWS", hint="timedatectl status")
    if code in CODES or code == "403":
        refusal = refusal_in(text, who=who) or Refusal(
            action=action_of(service, exc.operation_name), who=who, resource="", denied=False
        )
        return refusal.error()
    return Unavailable(f"{doing}: AWS refuses: {code} {text}".rstrip(), hint="try again")
