"""The session's cookie: out of reach of scripts, of other sites, and on https of other hosts."""

from starlette.requests import HTTPConnection
from starlette.responses import Response

from bedside.config.portal import PortalSettings

NAME = "bedside-session"


def name_of(settings: PortalSettings) -> str:
    """Return its name; with ``__Host-`` browsers take it from this host and by https only."""
    return f"__Host-{NAME}" if settings.is_secure else NAME


def read(connection: HTTPConnection, settings: PortalSettings) -> str:
    """Return a browser's secret, or nothing."""
    return connection.cookies.get(name_of(settings), "")


def write(answer: Response, secret: str, settings: PortalSettings, *, lasts_s: int) -> None:
    """Let a browser keep a secret."""
    answer.set_cookie(
        name_of(settings),
        secret,
        max_age=lasts_s,
        path="/",
        secure=settings.is_secure,
        httponly=True,
        samesite="lax",
    )


def clear(answer: Response, settings: PortalSettings) -> None:
    """Let a browser forget its secret."""
    answer.delete_cookie(
        name_of(settings), path="/", secure=settings.is_secure, httponly=True, samesite="lax"
    )
