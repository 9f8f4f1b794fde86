"""From where on the network somebody asks, as far as the audit trail keeps it.

An address is personal data (GDPR, recital 30), and what stands in the trail cannot be taken out again:
by default only its network is kept, which tells the hospital from the world outside (decision 156).
"""

import ipaddress
from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

from bedside.config.portal import KeptAddress

#: Bits that are kept of an address of version 4 and of version 6.
NETWORK_BITS = {4: 24, 6: 48}

_asking: ContextVar[str] = ContextVar("asking", default="")


class Origin:
    """Remembers for whatever answers a request who sent it. Plain ASGI: streams pass untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and know from where it was asked meanwhile."""
        if scope["type"] in {"http", "websocket"}:
            client = scope.get("client")
            _asking.set(client[0] if client else "")
        await self._app(scope, receive, send)


def origin(kept: KeptAddress) -> str:
    """Return the address of whoever asks just now, as it is kept; empty where it is not, or unknown."""
    return trimmed(_asking.get(), kept)


def trimmed(address: str, kept: KeptAddress) -> str:
    """Return what is kept of an address, e.g. ``10.1.2.0/24``."""
    if kept is KeptAddress.NONE:
        return ""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:  # a Unix socket, or the client of a test
        return ""
    if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped:
        known = known.ipv4_mapped
    if kept is KeptAddress.FULL:
        return str(known)
    return str(ipaddress.ip_network((known, NETWORK_BITS[known.version]), strict=False))
