"""Sends a ZIP to a portal elsewhere, in parts, as its page does: four at a time, each until it is there.

Owns patience: a cut line or a portal that restarts costs seconds and no part; what is refused for good is one
of our errors. Run again on the same files, it goes on where it stopped.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from bedside.errors import (
    BedsideError,
    Full,
    InputRejected,
    NotFound,
    NotPermitted,
    NotSignedIn,
    TooLarge,
    Unavailable,
    UsageError,
)
from bedside.uploads.limits import Wish

_AT_ONCE = 4
_TRIES, _LONGEST_WAIT_S = 10, 30.0
_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
#: Tokens go in the clear only to this machine.
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_ERRORS: Mapping[int, type[BedsideError]] = {
    401: NotSignedIn,
    403: NotPermitted,
    404: NotFound,
    413: TooLarge,
    422: InputRejected,
    507: Full,
}


class Tell(Protocol):
    """Hears how far it is."""

    def __call__(self, doing: str, fraction: float | None = None) -> None:
        """Hear it."""
        ...


@dataclass(kw_only=True)
class PortalSender:
    """A portal, and who sends there. A context manager: it holds connections.

    Attributes:
        url: Of the portal.
        token: Of who sends.
        tenant: Whose drop-box.
        tell: Hears how far it is.
        sleep: Waits.
    """

    url: str
    token: str = field(repr=False)
    tenant: str
    tell: Tell
    sleep: Callable[[float], None] = time.sleep
    _client: httpx.Client = field(init=False, repr=False)
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Look at the address.

        Raises:
            UsageError: It is none, or would take the token over a line that can be listened to.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"--to {self.url}: not the address of a portal", hint="--to https://HOST")
        if parts.scheme == "http" and parts.hostname not in _HERE:
            raise UsageError(
                f"--to {self.url}: a token would travel in the clear", hint=f"--to https://{parts.netloc}"
            )
        self._client = httpx.Client(timeout=_TIMEOUT)

    def __enter__(self) -> "PortalSender":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._client.close()

    def send(self, archive: Path, wish: Wish) -> str:
        """Send a ZIP, and return the upload's number.

        Raises:
            BedsideError: It is refused, or the portal stays out of reach.
        """
        told = {
            "name": wish.name,
            "fingerprint": wish.fingerprint,
            "files": wish.files,
            "size_bytes": wish.size_bytes,
        }
        upload = self._ask("POST", "", json=told)
        for _ in range(_TRIES):
            there = {part["number"]: part["sha256"] for part in upload["there"]}
            self._send_missing(archive, upload, there)
            self.tell("putting it together", None)
            try:
                self._ask("POST", f"/{upload['id']}/complete")
                return str(upload["id"])
            except _Missing:
                upload = self._ask("GET", f"/{upload['id']}")
        raise Unavailable(f"upload {upload['id']}: parts are lost as fast as they come", hint="try again")

    def look(self, upload_id: str) -> dict[str, Any]:
        """Return what became of an upload."""
        return self._ask("GET", f"/{upload_id}")

    def _send_missing(self, archive: Path, upload: dict[str, Any], there: dict[int, str | None]) -> None:
        size_bytes, step = archive.stat().st_size, int(upload["part_bytes"])
        numbers = range(1, int(upload["parts"]) + 1)
        done = 0

        def send(number: int) -> None:
            nonlocal done
            with archive.open("rb") as stream:
                stream.seek((number - 1) * step)
                data = stream.read(step)
            sha256 = hashlib.sha256(data).hexdigest()
            if number not in there or there[number] not in (None, sha256):
                self._send_part(str(upload["id"]), number, sha256, data)
            with self._lock:
                done += len(data)
                self.tell("sending", done / size_bytes)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(send, numbers))

    def _send_part(self, upload_id: str, number: int, sha256: str, data: bytes) -> None:
        def once() -> httpx.Response:
            target = self._ask("POST", f"/{upload_id}/parts/{number}", json={"sha256": sha256})
            url, headers = str(target["url"]), dict(target["headers"])
            if url.startswith("/"):
                url, headers = self.url.rstrip("/") + url, {**headers, **self._bearer}
            return self._client.put(url, content=data, headers=headers)

        self._persist(once)

    def _ask(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        url = f"{self.url.rstrip('/')}/api/v1/tenants/{self.tenant}/uploads{path}"
        answer = self._persist(lambda: self._client.request(method, url, headers=self._bearer, **more))
        found: dict[str, Any] = answer.json()
        return found

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _persist(self, call: Callable[[], httpx.Response]) -> httpx.Response:
        why = ""
        for tries in range(_TRIES):
            if tries:
                self.sleep(min(2.0 ** (tries - 1), _LONGEST_WAIT_S))
            try:
                answer = call()
            except httpx.TransportError as cut:
                why = type(cut).__name__
                continue
            if answer.is_success:
                return answer
            why = f"it answers {answer.status_code}"
            if answer.status_code not in {408, 425, 429} and (
                answer.status_code < 500 or answer.status_code == 507
            ):
                raise _refusal(answer)
        raise Unavailable(
            f"{self.url}: {why}, {_TRIES} times", hint="run it again, it goes on where it stopped"
        )


class _Missing(Unavailable):
    """Parts are missing, or somebody else is at it."""


def _refusal(answer: httpx.Response) -> BedsideError:
    try:
        said = answer.json()
    except ValueError:
        said = {}
    message = str(said.get("detail") or f"the portal answers {answer.status_code}")
    if answer.status_code == 409:
        return _Missing(message, hint=str(said.get("hint") or ""))
    kind = _ERRORS.get(answer.status_code, UsageError)
    return kind(message, hint=str(said.get("hint") or ""))
