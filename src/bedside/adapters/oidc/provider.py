"""What an issuer says of itself: where browsers sign in, where codes are redeemed, where its keys are.

OpenID Connect Discovery 1.0, section 4. Known for an hour, since addresses hardly ever change; one that
others could listen to is refused.
"""

import threading
from typing import Any

import httpx

from bedside.adapters.oidc.fetch import TIMEOUT_S, read
from bedside.adapters.oidc.issuer import Issuer, is_safe
from bedside.errors import Unavailable
from bedside.ports import Clock

FRESH_S = 3600.0
#: An issuer that does not answer is asked again after so long: not everybody who asks meanwhile waits for it.
DOWN_S = 5.0


def discover(client: httpx.Client, issuer: Issuer) -> dict[str, Any]:
    """Ask an issuer what it says of itself.

    Raises:
        Unavailable: It does not answer, or says that it is another.
    """
    found = read(client, f"{issuer.url}/.well-known/openid-configuration")
    if str(found.get("issuer", "")).rstrip("/") != issuer.url:
        raise Unavailable(
            f"identity: {issuer.url} says that it is another issuer", hint="bedside config show"
        )
    return found


class Provider:
    """One issuer's addresses; threads may share it.

    Args:
        issuer: Whose.
        clock: The time.
    """

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Any] = {}
        self._asked_at = float("-inf")
        self._down: tuple[float, Unavailable] | None = None

    def address(self, name: str) -> str:
        """Return one of its addresses, e.g. ``token_endpoint``, or empty where it has none.

        Raises:
            Unavailable: It does not answer, or others could listen at that address.
        """
        value = str(self._document().get(name) or "")
        if value and not is_safe(value):
            raise Unavailable(
                f"identity: {name} of {self._issuer.url} is no https:// address", hint="bedside config show"
            )
        return value

    def takes(self, name: str, value: str) -> bool:
        """Whether a list of its document holds a value, e.g. ``token_endpoint_auth_methods_supported``."""
        listed = self._document().get(name)
        return isinstance(listed, list) and value in listed

    def _document(self) -> dict[str, Any]:
        with self._lock:
            now = self._clock.monotonic()
            if now - self._asked_at >= FRESH_S:
                if self._down is not None and now < self._down[0]:
                    raise Unavailable(self._down[1].message, hint=self._down[1].hint)
                try:
                    with httpx.Client(timeout=TIMEOUT_S) as client:
                        self._known = discover(client, self._issuer)
                except Unavailable as down:
                    self._down = self._clock.monotonic() + DOWN_S, down
                    raise
                self._asked_at = now
            return self._known
