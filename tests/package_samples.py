"""Debian packages, an archive of them and wheels, made small for tests; a server for their files."""

import base64
import csv
import gzip
import hashlib
import io
import lzma
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import zstandard

CONTROL = "Package: {name}\nVersion: 1.0-1\nArchitecture: amd64\nDescription: for tests\n of bedside\n"
COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": lambda data: gzip.compress(data, mtime=0),
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


def tar_of(members: Mapping[str, bytes | str | None], *, modes: Mapping[str, int] | None = None) -> bytes:
    """Return a tar: bytes are files, text is a link's target, None a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.mode = (modes or {}).get(name, 0o755 if content is None else 0o644)
            if content is None:
                member.type = tarfile.DIRTYPE
            elif isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
    return buffer.getvalue()


def deb_of(data_tar: bytes, *, name: str = "sample", compression: str = ".xz") -> bytes:
    """Return a Debian package."""
    control = COMPRESS[compression](tar_of({"./control": CONTROL.format(name=name).encode()}))
    members = {
        "debian-binary": b"2.0\n",
        f"control.tar{compression}": control,
        f"data.tar{compression}": COMPRESS[compression](data_tar),
    }
    archive = b"!<arch>\n"
    for member, body in members.items():
        header = f"{member:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}".encode() + b"`\n"
        archive += header + body + b"\n" * (len(body) % 2)
    return archive


def wheel_in(
    folder: Path,
    name: str,
    files: Mapping[str, bytes],
    *,
    requires: tuple[str, ...] = (),
    tag: str = "py3-none-any",
) -> Path:
    """Write a wheel of version 1.0."""
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nLicense: MIT\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
    contents = {
        **files,
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
    }
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for path, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.writerow((path, f"sha256={digest}", len(data)))
    rows.writerow((f"{info}/RECORD", "", ""))
    place = folder / f"{name}-1.0-{tag}.whl"
    with zipfile.ZipFile(place, "w") as archive:
        for path, data in {**contents, f"{info}/RECORD": record.getvalue().encode()}.items():
            archive.writestr(path, data)
    return place


@dataclass
class Served:
    """What a server has and was asked.

    Attributes:
        address: Of the server.
        files: By path.
        failures: How often a path answers 503 before it answers well.
        asked: Paths in order.
    """

    address: str
    files: dict[str, bytes]
    failures: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving_files(files: dict[str, bytes]) -> Iterator[Served]:
    """Serve files on the loopback address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            status, body = (200, served.files[self.path]) if self.path in served.files else (404, b"")
            if served.failures.get(self.path, 0):
                served.failures[self.path] -= 1
                status, body = 503, b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    served = Served(f"http://127.0.0.1:{server.server_port}", files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
