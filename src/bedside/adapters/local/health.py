"""``GET /health`` on an address of this machine: 200 when `serve` does its rounds, 503 when it does not.

Owns the listening and the form of the answer, not the verdict. Answers nothing else, logs nothing, and
keeps no connection: a probe that hangs costs a few seconds of one thread.
"""

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bedside import __version__
from bedside.errors import ConfigError
from bedside.worker.pulse import Health

PATH = "/health"
_TIMEOUT_S = 5.0


class HealthServer:
    """Answers until it is closed.

    Args:
        address: HOST:PORT; port 0 takes a free one.
        ask: Says how it is; called from other threads.

    Raises:
        ConfigError: Nothing can be listened to there.
    """

    def __init__(self, address: str, ask: Callable[[], Health]) -> None:
        host, _, port = address.rpartition(":")
        try:
            self._server = _Server((host, int(port)), _answer_of(ask))
        except (OSError, OverflowError) as exc:
            raise ConfigError(
                f"serve.health: cannot listen on {address}: {getattr(exc, 'strerror', None) or exc}",
                hint="set serve.health to a free HOST:PORT, e.g. 127.0.0.1:8081",
            ) from exc
        threading.Thread(target=self._server.serve_forever, name="health", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller that went away is nobody's business."""


def _answer_of(ask: Callable[[], Health]) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        timeout = _TIMEOUT_S
        server_version, sys_version = "bedside", ""

        def do_GET(self) -> None:
            health = ask()
            if self.path != PATH:
                self._send(HTTPStatus.NOT_FOUND, {"status": "not found"})
            else:
                status = HTTPStatus.OK if health.ok else HTTPStatus.SERVICE_UNAVAILABLE
                self._send(status, {**health.to_json(), "version": __version__})

        do_HEAD = do_GET  # noqa: N815 - as http.server names it

        def _send(self, status: HTTPStatus, content: object) -> None:
            body = json.dumps(content).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            """Nothing: a probe each few seconds says nothing."""

    return Answer
