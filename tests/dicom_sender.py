"""Senders for tests of the receiver: pynetdicom's SCU, and dcmtk's storescu as a program."""

import socket
import ssl
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
from pynetdicom import AE
from pynetdicom.association import Association


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def association(
    port: int,
    paths: Iterable[Path],
    *,
    called: str = "BEDSIDE",
    calling: str = "CT1",
    tls: ssl.SSLContext | None = None,
    syntaxes: list[str] | None = None,
) -> Association:
    """Ask for an association that could send these files; it may be refused."""
    ae = AE(calling)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = 10
    ae.add_requested_context("1.2.840.10008.1.1")
    for path in paths:
        found = pydicom.dcmread(path, stop_before_pixels=True)
        ae.add_requested_context(found.SOPClassUID, syntaxes or [found.file_meta.TransferSyntaxUID])
    return ae.associate(
        "127.0.0.1", port, ae_title=called, tls_args=(tls, "localhost") if tls is not None else None
    )


@contextmanager
def associated(port: int, paths: Iterable[Path], **options: Any) -> Iterator[Association]:
    """Hold an association, and release it at the end."""
    opened = association(port, paths, **options)
    assert opened.is_established
    try:
        yield opened
    finally:
        if opened.is_established:
            opened.release()


def send(opened: Association, *paths: Path) -> list[int]:
    """Send files; return the status of each, -1 where none came."""
    statuses = []
    for path in paths:
        try:
            statuses.append(int(getattr(opened.send_c_store(path), "Status", -1)))
        except RuntimeError:  # it ended by itself
            statuses.append(-1)
    return statuses


def storescu(port: int, *arguments: str | Path, called: str = "BEDSIDE") -> subprocess.CompletedProcess[str]:
    """Run dcmtk's sender."""
    return subprocess.run(
        ["storescu", "-v", "-aet", "CT1", "-aec", called, "127.0.0.1", str(port), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
