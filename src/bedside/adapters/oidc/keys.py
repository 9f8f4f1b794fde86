"""The public keys of an issuer, fetched when needed: kept a while, and again when a token names a new one.

An issuer that rotates its keys signs with one that we have not seen. Whoever makes tokens up can name any
key, so that an unknown one is asked for at most once a minute (JWKS: RFC 7517).
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from bedside.adapters.oidc.fetch import TIMEOUT_S, read
from bedside.adapters.oidc.issuer import Issuer
from bedside.adapters.oidc.provider import discover
from bedside.errors import NotSignedIn, Unavailable
from bedside.ports import Clock

#: Keys are asked for again after this long, so that one that was taken back is not believed for ever.
FRESH_S = 3600.0
#: Where the issuer does not answer, keys from before are believed so long at most.
STALE_S = 24 * 3600.0
#: Unknown keys make us ask at most this often.
PAUSE_S = 60.0
#: An issuer that does not answer is asked again after so long, whoever makes tokens up meanwhile.
DOWN_S = 5.0

Key = RSAKey | ECKey
_KINDS: Mapping[str, Callable[[dict[str, Any]], Key]] = {"RSA": RSAKey.import_key, "EC": ECKey.import_key}


class IssuerKeys:
    """The keys of one issuer; threads may share them.

    Args:
        issuer: Whose.
        clock: The time.
    """

    def __init__(self, issuer: Issuer, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, Key] = {}
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._down: tuple[float, Unavailable] | None = None

    def find(self, kid: str) -> Key:
        """Return a key by its id.

        Raises:
            NotSignedIn: The issuer has none of this id.
            Unavailable: The issuer does not answer.
        """
        with self._lock:
            now = self._clock.monotonic()
            age_s = now - self._fetched_at
            if self._down is not None and now < self._down[0] and (kid not in self._keys or age_s > STALE_S):
                raise Unavailable(self._down[1].message, hint=self._down[1].hint)
            if (age_s > FRESH_S or kid not in self._keys) and now - self._tried_at >= PAUSE_S:
                self._tried_at = now
                try:
                    self._keys, self._fetched_at = self._fetch(), now
                except Unavailable as down:
                    if kid not in self._keys or age_s > STALE_S:
                        # Nobody waits for a minute because one answer was lost; and not everybody who asks
                        # meanwhile waits for one that does not come, or all threads would.
                        self._tried_at = float("-inf")
                        self._down = self._clock.monotonic() + DOWN_S, down
                        raise
            found = self._keys.get(kid)
        if found is None:
            raise NotSignedIn(
                "token: signed with a key that the issuer does not have",
                hint="sign in again, and pass the new token",
            )
        return found

    def count(self) -> int:
        """Ask the issuer, and return how many keys it has.

        Raises:
            Unavailable: It does not answer.
        """
        return len(self._fetch())

    def _fetch(self) -> Mapping[str, Key]:
        with httpx.Client(timeout=TIMEOUT_S) as client:
            url = self._issuer.keys_url or str(discover(client, self._issuer).get("jwks_uri", ""))
            document = read(client, url)
        keys: dict[str, Key] = {}
        for each in document.get("keys", ()):
            kind = _KINDS.get(str(each.get("kty")))
            if kind is None or each.get("use", "sig") != "sig" or "kid" not in each:
                continue  # a shared secret is no public key, and an unnamed one is for nobody
            try:
                keys[str(each["kid"])] = kind({n: v for n, v in each.items() if isinstance(v, str)})
            except (JoseError, ValueError, TypeError):
                continue
        if not keys:
            raise Unavailable(
                f"identity: {url} lists no key to check tokens with", hint="bedside config show"
            )
        return keys
