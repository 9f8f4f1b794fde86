"""Debian's Orthanc with its DICOMweb plugin, as an oracle: another server with the same studies."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

#: Where the Debian package orthanc-dicomweb puts it.
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
_START_S = 30.0


@dataclass(frozen=True)
class Orthanc:
    """A running server.

    Attributes:
        address: Where it answers.
    """

    address: str

    @property
    def dicomweb(self) -> str:
        """Its DICOMweb."""
        return f"{self.address}/dicom-web"

    def store(self, paths: Iterable[Path]) -> None:
        """Give it some instances."""
        with httpx.Client(timeout=60) as client:
            for path in paths:
                client.post(f"{self.address}/instances", content=path.read_bytes()).raise_for_status()


@contextmanager
def orthanc(folder: Path) -> Iterator[Orthanc]:
    """Run a server with an empty store, on 127.0.0.1."""
    program = shutil.which("Orthanc", path="/usr/sbin:/usr/bin")
    assert program is not None and PLUGIN.exists(), "Debian packages orthanc and orthanc-dicomweb"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = folder / "orthanc.json"
    settings.write_text(
        json.dumps(
            {
                "Name": "oracle",
                "HttpPort": port,
                "DicomServerEnabled": False,
                "RemoteAccessAllowed": False,
                "AuthenticationEnabled": False,
                "StorageDirectory": str(folder / "orthanc"),
                "IndexDirectory": str(folder / "orthanc"),
                "StorageCompression": False,
                "HttpThreadsCount": 8,
                "Plugins": [str(PLUGIN)],
                "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            }
        )
    )
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([program, str(settings)], stdout=log, stderr=log)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(address, process)
        yield Orthanc(address)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(address: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        assert process.poll() is None, "Orthanc ended by itself"
        try:
            if httpx.get(f"{address}/dicom-web/studies", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("Orthanc does not answer")
