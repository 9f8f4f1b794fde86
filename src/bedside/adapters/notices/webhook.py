"""Bulletins to a web address, signed so that its server knows who speaks.

The signature is that of the Standard Webhooks specification (https://www.standardwebhooks.com): whoever
receives can check it with a library of theirs in a dozen languages, and tells by the id what came twice.
Redirects are not followed: where they lead nobody agreed to.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime

from bedside.adapters.notices.here import is_here
from bedside.domain.notice import Bulletin
from bedside.errors import ConfigError, Unavailable

#: For the whole of a request; a receiver has to answer first and work then.
TIMEOUT_S = 10.0
#: Begins a secret that is base64, by the specification; another secret is taken as it stands.
PREFIX = "whsec_"
#: Shorter keys can be guessed; the specification wants 24 to 64 bytes.
LEAST_SECRET_BYTES = 24
#: Answers after which another try may do, besides 500 and above.
_LATER = frozenset({408, 425, 429})
_HINT = "bedside notify test --channel webhook"


class Webhook:
    """A server that takes bulletins as JSON by POST.

    Args:
        url: Where; ``http://`` only to this machine.
        secret: What both sides know: ``whsec_`` and base64, or any text of 24 bytes and more.
        now: The clock; a receiver refuses what was signed long ago.

    Raises:
        ConfigError: The address or the secret is none.
    """

    def __init__(self, url: str, secret: str, *, now: Callable[[], datetime]) -> None:
        import httpx  # noqa: PLC0415 - a worker without a webhook does without

        try:
            address = httpx.URL(url)
        except httpx.InvalidURL as exc:
            raise ConfigError("notify.webhook_url: is no address", hint="bedside config show") from exc
        if address.scheme != "https" and not (address.scheme == "http" and is_here(address.host)):
            raise ConfigError(
                f"notify.webhook_url: want https://, it begins with {address.scheme or 'nothing'}://; "
                "http:// is for this machine only",
                hint="bedside config show",
            )
        self._url = address
        self._key = _key(secret)
        self._now = now
        self._client: httpx.Client | None = None

    def send(self, bulletin: Bulletin) -> None:
        """Hand a bulletin over. See `bedside.ports.notifier.Notifier.send`."""
        import httpx  # noqa: PLC0415 - see above

        if self._client is None:
            self._client = httpx.Client(timeout=TIMEOUT_S, follow_redirects=False)
        body = json.dumps(bulletin.to_json(), ensure_ascii=False).encode()
        try:
            answer = self._client.post(self._url, content=body, headers=self._headers(bulletin.id, body))
        except httpx.HTTPError as exc:
            raise Unavailable(
                f"webhook: {self._url.host} was not reached ({type(exc).__name__})", hint=_HINT
            ) from exc
        if answer.is_success:
            return
        said = f"webhook: {self._url.host} answers {answer.status_code}"
        if answer.status_code >= 500 or answer.status_code in _LATER:
            raise Unavailable(said, hint=_HINT)
        raise ConfigError(said, hint=_HINT)

    def _headers(self, identity: str, body: bytes) -> dict[str, str]:
        at = str(int(self._now().timestamp()))
        signed = hmac.new(self._key, f"{identity}.{at}.".encode() + body, hashlib.sha256).digest()
        return {
            "content-type": "application/json",
            "user-agent": "bedside",
            "webhook-id": identity,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        }


def _key(secret: str) -> bytes:
    """Return the key of a secret.

    Raises:
        ConfigError: It is none, or short; the message does not repeat it.
    """
    hint = "python3 -c \"import secrets; print('whsec_' + secrets.token_urlsafe(32))\""
    if secret.startswith(PREFIX):
        text = secret.removeprefix(PREFIX).translate(str.maketrans("-_", "+/"))
        try:
            key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except binascii.Error as exc:
            raise ConfigError(
                f"notify.webhook_secret: what follows {PREFIX} is not base64", hint=hint
            ) from exc
    else:
        key = secret.encode()
    if len(key) < LEAST_SECRET_BYTES:
        raise ConfigError(
            f"notify.webhook_secret: {len(key)} bytes, at least {LEAST_SECRET_BYTES} are needed", hint=hint
        )
    return key
