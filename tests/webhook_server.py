"""A server that takes webhooks, for tests: keeps what came, and answers as it is told."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request."""

    headers: dict[str, str]
    body: bytes


@dataclass(kw_only=True)
class Hook:
    """A running server: what it answers, and what came."""

    url: str = ""
    path: str = "/hooks/T0-secret-path"
    status: int = 204
    silent_s: float = 0.0
    calls: list[Call] = field(default_factory=list)


@contextmanager
def run_webhook() -> Iterator[Hook]:
    """Run a server on a free port of this machine until the block ends."""
    hook = Hook()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            hook.calls.append(Call(headers=headers, body=body))
            time.sleep(hook.silent_s)
            self.send_response(hook.status)
            if hook.status in {301, 302, 307, 308}:
                self.send_header("location", hook.url)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    hook.url = f"http://127.0.0.1:{server.server_port}{hook.path}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
