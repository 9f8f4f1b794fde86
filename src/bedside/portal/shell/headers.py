"""Headers of every answer: what a browser may load, and from where (nowhere else).

Pages may run scripts of ours from files only: nothing inline, no `eval`, no other host. An area that needs
more (the OHIF viewer's decoders) sets its own policy on its own answers, and only there.
"""

from typing import Final

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bedside.config.portal import PortalSettings

#: What pages of ours may do.
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'{connect}",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    # Patients' data: no copy stays on a disk unless the answer says otherwise.
    "Cache-Control": "no-store",
}


def policy(connect: str = "") -> str:
    """Return the policy of pages, or that of one which may also connect to another origin.

    Args:
        connect: That origin; empty is none.
    """
    return POLICY.format(connect=f" {connect}" if connect else "")


def add(app: FastAPI, settings: PortalSettings) -> None:
    """Let every answer of an application carry them."""
    app.add_middleware(_Headers, always=always(settings))


def always(settings: PortalSettings) -> dict[str, str]:
    """Return what every answer carries that has not set it by itself."""
    secure = {"Strict-Transport-Security": "max-age=31536000"} if settings.is_secure else {}
    return {**_ALWAYS, **secure, "Content-Security-Policy": policy()}


class _Headers:
    """Adds what an answer has not set by itself. Plain ASGI: streams pass untouched."""

    def __init__(self, app: ASGIApp, always: dict[str, str]) -> None:
        self._app = app
        self._always = always

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._always.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, sending)
