"""One registry over HTTP: who we are there, and another try where it helps.

Owns sending. A request that is refused for lack of a token is answered once; one that fails for a
reason that passes is sent again. Credentials never leave for another host: a redirect to an object
store, or an upload session there, goes without.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from bedside.errors import BedsideError, Cancelled
from bedside.oci.reference import is_loopback
from bedside.oci.registry.call import Call, Options
from bedside.oci.registry.client import client_for, connect
from bedside.oci.registry.credentials import Authority
from bedside.oci.registry.failures import failure
from bedside.oci.registry.refusals import refusal
from bedside.oci.registry.retry import retrying
from bedside.oci.registry.tokens import Identity


class Connection:
    """One registry. Safe from several threads.

    Args:
        host: With its port where it has one.
        authority: Has credentials.
        options: How to speak.
        closing: Set when everything is to stop.
    """

    def __init__(self, host: str, authority: Authority, options: Options, closing: threading.Event) -> None:
        self.host = host
        self.options = options
        self._closing = closing
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        self._token_client: httpx.Client | None = None
        self._root = httpx.URL()
        plain = options.insecure or is_loopback(host)
        self._identity = Identity(host, authority, self._send_token, plain=plain)

    def open(self) -> None:
        """Connect, where no request did it yet; raises as `send` does."""
        self._connected()

    def close(self) -> None:
        """Close all connections; those in use fail."""
        for client in (self._client, self._token_client):
            if client is not None:
                client.close()

    def send(self, call: Call) -> httpx.Response:
        """Send a request, again where that helps, and return the response with its body read.

        Raises:
            Unavailable: the attempts are used up.
            BedsideError: any other refusal.
        """

        def once() -> httpx.Response:
            with self.exchange(call) as response:
                response.read()
                return response

        return retrying(self.options.policy, once, self.pause) if call.replayable else once()

    @contextmanager
    def exchange(self, call: Call) -> Iterator[httpx.Response]:
        """Send a request once (twice where a token is asked for), and give the response, its body unread.

        Raises:
            Again: a reason that passes; the caller may try anew.
            BedsideError: any other refusal.
        """
        header = self._identity.header(call.scopes)
        try:
            response = self._send(call, header)
            try:
                if response.status_code == httpx.codes.UNAUTHORIZED and call.replayable:
                    response.read()
                    other = self._identity.challenged(response, call.scopes, sent=header)
                    if other is not None:
                        header = other
                        response = self._send(call, header)
                if response.status_code not in call.expected:
                    response.read()
                    raise self._refused(response, call, header)
                yield response
            finally:
                response.close()
        except httpx.HTTPError as exc:
            raise failure(exc, self.host, call.doing) from exc

    def pause(self, seconds: float) -> None:
        """Wait, unless everything is to stop."""
        if self._closing.wait(seconds):
            raise Cancelled(f"{self.host}: stopped while waiting to try again")

    def _send(self, call: Call, header: str | None) -> httpx.Response:
        client = self._connected()
        url = self._root.join(call.url)
        if call.params:
            url = url.copy_merge_params(call.params)
        headers = dict(call.headers)
        if header is not None and _origin(url) == _origin(self._root):
            headers["Authorization"] = header
        patience_s = self.options.commit_timeout_s if call.commit else self.options.idle_timeout_s
        timeout = httpx.Timeout(
            self.options.idle_timeout_s, connect=self.options.connect_timeout_s, read=patience_s
        )
        request = client.build_request(
            call.method, url, headers=headers, content=call.content, timeout=timeout
        )
        return client.send(request, stream=True, follow_redirects=call.method in ("GET", "HEAD"))

    def _refused(self, response: httpx.Response, call: Call, header: str | None) -> BedsideError:
        answer = self._identity.known(call.scopes[0].repository)
        who = answer.credentials.who if answer.credentials and header else ""
        return refusal(response, call.subject, who=who, notes=answer.notes)

    def _send_token(self, request: httpx.Request) -> httpx.Response:
        client = self._connected()
        if request.url.host != self._root.host:
            with self._lock:
                if self._token_client is None:
                    self._token_client = client_for(self.host, self.options, own=False)
                client = self._token_client

        def once() -> httpx.Response:
            try:
                return client.send(request)
            except httpx.HTTPError as exc:
                raise failure(exc, request.url.host, "ask a token") from exc

        return retrying(self.options.policy, once, self.pause)

    def _connected(self) -> httpx.Client:
        with self._lock:
            if self._client is None:
                self._client, self._root = retrying(
                    self.options.policy, lambda: connect(self.host, self.options), self.pause
                )
            return self._client


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
