"""Real registries for tests: docker-registry on a free port of 127.0.0.1, and a proxy that breaks things.

The proxy stands before a registry and does to chosen requests what networks and busy servers do: cut
them, refuse them, answer something else. Rules are functions, so each test says what it breaks.
"""

import http.client
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

START_TIMEOUT_S = 60.0


@contextmanager
def run_registry(
    folder: Path,
    *,
    settings: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    before: tuple[str, ...] = (),
    storage: Path | None = None,
) -> Iterator[str]:
    """Run a docker-registry until the block ends, and give its host (``127.0.0.1:PORT``).

    Args:
        folder: For its files; must exist.
        settings: Beside storage and address, as in its configuration file.
        environment: Of its process.
        before: Words before its command.
        storage: Where blobs lie.
    """
    document = {
        "version": 0.1,
        "log": {"level": "info"},
        "storage": {
            "filesystem": {"rootdirectory": str(storage or folder / "storage")},
            "delete": {"enabled": True},
        },
        "http": {"addr": "127.0.0.1:0"},
        **(settings or {}),
    }
    config = folder / "registry.json"
    config.write_text(json.dumps(document))  # JSON is YAML
    log = folder / "registry.log"
    setpriv = shutil.which("setpriv")
    words = [
        *([setpriv, "--pdeathsig", "KILL"] if setpriv else []),
        *before,
        "docker-registry",
        "serve",
        config,
    ]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            words, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL, cwd=folder, env=environment
        )
    try:
        yield f"127.0.0.1:{_port(process, log)}"
    finally:
        process.kill()
        process.wait(20)


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text(errors="replace")):
            return int(found[1])
        time.sleep(0.02)
    raise RuntimeError(f"docker-registry did not start:\n{log.read_text(errors='replace')[-2000:]}")


def push_layout(host: str, name: str, tag: str, layout: Path) -> None:
    """Bring the only container image of an OCI layout into a registry, without bedside's own client."""
    import httpx

    index = json.loads((layout / "index.json").read_bytes())
    (descriptor,) = index["manifests"]
    blobs = layout / "blobs" / "sha256"
    manifest = (blobs / descriptor["digest"].removeprefix("sha256:")).read_bytes()
    with httpx.Client(base_url=f"http://{host}/v2/{name}/", trust_env=False, timeout=60) as client:
        for part in [json.loads(manifest)["config"], *json.loads(manifest)["layers"]]:
            begun = client.post("blobs/uploads/")
            begun.raise_for_status()
            content = (blobs / part["digest"].removeprefix("sha256:")).read_bytes()
            client.put(
                httpx.URL(begun.headers["Location"]).copy_merge_params({"digest": part["digest"]}),
                content=content,
                headers={"Content-Type": "application/octet-stream"},
            ).raise_for_status()
        kind = {"Content-Type": descriptor["mediaType"]}
        client.put(f"manifests/{tag}", content=manifest, headers=kind).raise_for_status()


def closed_port() -> int:
    """Return a port of 127.0.0.1 where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Request:
    """A request at the proxy."""

    method: str
    path: str
    headers: Mapping[str, str]
    #: How many with the same method and path, without the query, came before.
    seen: int


@dataclass(frozen=True)
class Cut:
    """Close the connection: after so many bytes of the request's body, or of the answer's."""

    of_request: int | None = None
    of_answer: int | None = None


@dataclass(frozen=True)
class Say:
    """Answer instead of the registry."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Add:
    """Pass on, and change headers of the answer, or flip its first byte."""

    headers: Mapping[str, str] = field(default_factory=dict)
    flip: bool = False


Rule = Callable[[Request], Cut | Say | Add | None]


class Proxy:
    """Stands before a registry; `rule` may be set at any time."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.rule: Rule = lambda request: None
        self.requests: list[Request] = []
        self.body_bytes = 0
        self._lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def note(self, method: str, path: str, headers: Mapping[str, str]) -> Request:
        """Remember a request."""
        bare = path.partition("?")[0]
        with self._lock:
            seen = sum(1 for r in self.requests if r.method == method and r.path.partition("?")[0] == bare)
            request = Request(method, path, dict(headers), seen)
            self.requests.append(request)
        return request

    def sent(self, method: str, pattern: str) -> int:
        """How many requests there were of one method whose path has a pattern."""
        return sum(1 for r in self.requests if r.method == method and re.search(pattern, r.path))

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        """Serve until the block ends."""
        thread = threading.Thread(
            target=self._server.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}
        )
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: Proxy
    protocol_version = "HTTP/1.1"
    # One write for a response's head: else its packets wait for each other.
    wbufsize = -1

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        request = self.owner.note(self.command, self.path, self.headers)
        what = self.owner.rule(request)
        length = int(self.headers.get("Content-Length") or 0)
        if isinstance(what, Cut) and what.of_request is not None:
            self.rfile.read(min(what.of_request, length))
            self._hang_up()
            return
        if isinstance(what, Say):
            self.rfile.read(length)
            self._answer(what.status, {**what.headers, "Content-Length": str(len(what.body))}, what.body)
            return
        body = self._body(length)
        upstream = http.client.HTTPConnection(self.owner.upstream, timeout=60)
        try:
            upstream.request(self.command, self.path, body=body, headers=dict(self.headers))
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        headers = {
            k: v for k, v in answer.getheaders() if k.lower() not in ("transfer-encoding", "connection")
        }
        if isinstance(what, Add):
            headers |= what.headers
            headers = {name: value for name, value in headers.items() if value}
            if what.flip and content:
                content = bytes((content[0] ^ 1,)) + content[1:]
        if self.command != "HEAD":
            headers["Content-Length"] = str(len(content))
        if isinstance(what, Cut) and what.of_answer is not None:
            self._answer(answer.status, headers, content[: what.of_answer])
            self.close_connection = True
            return
        self._answer(answer.status, headers, content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def do_CONNECT(self) -> None:
        """Refuse a way through to another machine, as a proxy without TLS does."""
        self.owner.note(self.command, self.path, self.headers)
        self._answer(502, {"Content-Length": "0"}, b"")

    def _body(self, length: int) -> bytes:
        body = self.rfile.read(length)
        with self.owner._lock:
            self.owner.body_bytes += len(body)
        return body

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        # Not a polite end: the client sees a reset, as of a firewall that forgot the connection.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.close()
