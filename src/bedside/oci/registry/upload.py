"""One blob on its way to a repository: looked for, taken over from another repository, or sent.

Owns the upload: POST opens a session, one PUT sends all bytes. ECR, among others, breaks uploads in
pieces (PATCH), so a blob that was cut is sent again as a whole, in a new session. A mount that the
registry declines leaves a session, which is used rather than left to rot.
"""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx

from bedside.errors import BedsideError, Cancelled, ConfigError, NotFound
from bedside.oci.descriptor import Descriptor
from bedside.oci.parts import Origin
from bedside.oci.registry.call import Call
from bedside.oci.registry.challenge import Scope
from bedside.oci.registry.progress import Progress, Step, Tell
from bedside.oci.registry.refusals import error_codes
from bedside.oci.registry.repository import Repository
from bedside.oci.registry.retry import Again, retrying

_CHUNK_BYTES = 1024 * 1024
_PUSH = ("pull", "push")
#: A session that was opened ahead is taken within this time; registries forget older ones, and a blob that
#: goes there would be sent twice.
_SPARE_S = 60.0


class Uploader:
    """Sends blobs to one repository. Safe from several threads.

    Args:
        repository: Where to.
        tell: Is told what happens.
        stop: Set when no more bytes are to leave.
    """

    def __init__(self, repository: Repository, tell: Tell, stop: threading.Event) -> None:
        self._repository = repository
        self._connection = repository.connection
        self._tell = tell
        self._stop = stop
        self._spare: list[tuple[str, float]] = []

    def prepare(self) -> None:
        """Open a session before there is anything to send; the first blob takes it. Raises as `send` does."""
        self._spare.append((self._open_session(), time.monotonic()))

    def close(self) -> None:
        """Give back the session that no blob took, so that the registry need not wait for it."""
        while self._spare:
            self._give_back(self._spare.pop()[0])

    def mount(self, descriptor: Descriptor, origin: Origin) -> str | None:
        """Take a blob over from another repository of the same registry.

        Returns:
            None where that worked; else the session that the registry opened instead, empty where it
            opened none.
        """
        own = self._repository
        other = Scope(repository=origin.repository, actions=("pull",))
        call = Call(
            method="POST",
            url=own.path("blobs/uploads/"),
            params={"mount": descriptor.digest, "from": origin.repository},
            subject=own.subject(f"blob {descriptor.digest}", "push"),
            scopes=(*own.scopes(*_PUSH), other),
            expected=frozenset({201, 202}),
        )
        try:
            response = self._connection.send(call)
        except (ConfigError, NotFound):
            return ""  # we may not read there, or there is no such repository: send it ourselves
        if response.status_code == httpx.codes.CREATED:
            self._tell(Progress(descriptor=descriptor, step=Step.MOUNTED, done_bytes=descriptor.size_bytes))
            return None
        return _location(response)

    def send(self, descriptor: Descriptor, path: Path, session: str = "") -> None:
        """Send a blob from a file, as often as it takes.

        Args:
            descriptor: Of the bytes.
            path: Holds them.
            session: An open one for the first attempt.

        Raises:
            BedsideError: the file holds other bytes than the descriptor says.
            Unavailable: the attempts are used up.
        """
        size = path.stat().st_size
        if size != descriptor.size_bytes:
            raise _damaged(descriptor, path, f"{size} bytes, {descriptor.size_bytes} expected")
        sessions = [session] if session else []

        def attempt() -> None:
            try:
                self._put(descriptor, path, sessions.pop() if sessions else self._open(descriptor))
            except Again:
                self._tell(Progress(descriptor=descriptor, step=Step.RETRYING))
                raise

        retrying(self._connection.options.policy, attempt, self._connection.pause)
        self._tell(Progress(descriptor=descriptor, step=Step.DONE, done_bytes=descriptor.size_bytes))

    def _open(self, descriptor: Descriptor) -> str:
        with suppress(IndexError):
            session, opened_at = self._spare.pop()
            if time.monotonic() - opened_at < _SPARE_S:
                return session
            self._give_back(session)
        return self._open_session(descriptor.digest)

    def _give_back(self, session: str) -> None:
        own = self._repository
        call = Call(
            method="DELETE",
            url=session,
            subject=own.subject("an upload", "push"),
            scopes=own.scopes(*_PUSH),
            expected=frozenset({200, 202, 204, 404, 405}),
        )
        with suppress(BedsideError):  # it costs the registry a little room until it looks for old ones
            self._connection.send(call)

    def _open_session(self, digest: str = "") -> str:
        own = self._repository
        call = Call(
            method="POST",
            url=own.path("blobs/uploads/"),
            subject=own.subject(f"blob {digest}" if digest else "an upload", "push"),
            scopes=own.scopes(*_PUSH),
            expected=frozenset({202}),
        )
        return _location(self._connection.send(call))

    def _put(self, descriptor: Descriptor, path: Path, session: str) -> None:
        own = self._repository
        call = Call(
            method="PUT",
            url=session,
            params={"digest": descriptor.digest},
            subject=own.subject(f"blob {descriptor.digest}", "push"),
            scopes=own.scopes(*_PUSH),
            expected=frozenset({201, 204, 400, 401, 404, 416}),
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Length": str(descriptor.size_bytes),
            },
            content=self._chunks(descriptor, path),
            commit=True,
        )
        with self._connection.exchange(call) as response:
            if response.status_code in (201, 204):
                return
            response.read()
            self._judge(response, descriptor, path)

    def _judge(self, response: httpx.Response, descriptor: Descriptor, path: Path) -> None:
        """Raise what a refused PUT means: damaged here, damaged on the way, session or token too old."""
        status, codes = response.status_code, error_codes(response)
        place = f"{self._repository.host}/{self._repository.name}"
        if status == httpx.codes.BAD_REQUEST:
            found = _digest_of(path, descriptor)
            if found != descriptor.digest:
                raise _damaged(descriptor, path, f"digest {found}")
        said = ", ".join(sorted(codes)) or f"status {status}"
        raise Again(f"{place}: push blob {descriptor.digest}: the upload was not taken: {said}")

    def _chunks(self, descriptor: Descriptor, path: Path) -> Iterator[bytes]:
        done = 0
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                if self._stop.is_set():
                    raise Cancelled(f"push blob {descriptor.digest}: stopped")
                yield chunk
                done += len(chunk)
                self._tell(Progress(descriptor=descriptor, step=Step.MOVING, done_bytes=done))


def _location(response: httpx.Response) -> str:
    """Return a session's URL whole.

    A registry behind a proxy that ends TLS says http about itself; its own host stays on https.
    """
    base = response.url
    url = base.join(response.headers.get("Location", ""))
    if url.host == base.host and base.scheme == "https" and url.scheme == "http":
        url = url.copy_with(scheme="https", port=base.port)
    return str(url)


def _digest_of(path: Path, descriptor: Descriptor) -> str:
    algorithm = descriptor.digest.partition(":")[0]
    with path.open("rb") as stream:
        return f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"


def _damaged(descriptor: Descriptor, path: Path, found: str) -> BedsideError:
    return BedsideError(
        f"{path}: is not blob {descriptor.digest}: it has {found}",
        hint="delete the file and build again: it was changed after it was written",
    )
