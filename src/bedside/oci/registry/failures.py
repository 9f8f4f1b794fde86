"""What a failed connection means, as one of bedside's errors.

Owns the reading of httpx's and the system's errors: a name that does not resolve, nothing listening, a
certificate that is not trusted, a proxy that refuses, a connection cut in the middle.
"""

import socket
import ssl

import httpx

from bedside.errors import BedsideError, ConfigError
from bedside.oci.registry.retry import Again


def failure(failed: httpx.HTTPError, host: str, doing: str) -> BedsideError:
    """Return the error for a request that got no response.

    Args:
        failed: What httpx raised.
        host: Of whom it was asked.
        doing: What was under way, e.g. ``push blob sha256:…``.
    """
    cause = _root(failed)
    what = f"{host}: {doing}" if doing else host
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ConfigError(
            f"{what}: its certificate is not trusted: {cause.verify_message}",
            hint=f"cp its authority's certificate to /etc/docker/certs.d/{host}/ca.crt",
        )
    if isinstance(cause, ssl.SSLError) and "WRONG_VERSION_NUMBER" in str(cause).upper():
        return ConfigError(
            f"{what}: speaks plain http where https was expected",
            hint="--insecure, if its network may be trusted",
        )
    if isinstance(failed, httpx.ProxyError):
        return Again(f"{what}: the proxy refuses: {failed}", hint="check HTTPS_PROXY and NO_PROXY", soon=True)
    if isinstance(failed, httpx.ConnectError | httpx.ConnectTimeout):
        return Again(f"{what}: cannot be reached: {_reason(failed, cause)}", hint=_reach(host), soon=True)
    if isinstance(failed, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.TooManyRedirects):
        return BedsideError(f"{what}: leads somewhere that cannot be followed: {failed}")
    return Again(f"{what}: the connection was cut: {_reason(failed, cause)}", hint=_reach(host))


def _root(failed: BaseException) -> BaseException:
    """Return the error at the bottom: what the system said rather than what was made of it."""
    while (below := failed.__cause__ or failed.__context__) is not None:
        failed = below
    return failed


def _reason(failed: httpx.HTTPError, cause: BaseException) -> str:
    if isinstance(cause, socket.gaierror):
        return f"the name does not resolve ({cause.strerror})"
    if isinstance(failed, httpx.TimeoutException):
        return f"no answer in time ({type(failed).__name__})"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(failed) or type(cause).__name__


def _reach(host: str) -> str:
    return f"curl -i https://{host}/v2/ (and check HTTPS_PROXY, NO_PROXY)"
