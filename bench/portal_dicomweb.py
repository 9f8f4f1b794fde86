"""How fast DICOMweb answers: bedside's portal beside Debian's Orthanc with its DICOMweb plugin.

Run ``python bench/portal_dicomweb.py [--slices 200] [--seconds 5] [--connections 4]``. Both hold the same CT
study (the header of a real GE scanner, pydicom's CT_small, with noise of 512 × 512), both answer on this
machine, one after the other, to the same client: so many connections, each asking for the next thing as soon
as it has one. The portal runs as ``bedside portal`` does, asked with an API token; Orthanc asks nobody who
they are. Figures are answers a second; the client takes its share of the processors from both.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from bedside.config import load
from bedside.domain.account import Account, Profile, new_id
from bedside.domain.person import PersonRole, Post
from bedside.people.tokens import Scope
from bedside.wiring import open_deployment
from orthanc import orthanc
from portal_studies import arrived
from read import write

FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
FILES = 'multipart/related; type="application/dicom"; transfer-syntax=*'
JSON = "application/dicom+json"


@dataclass(frozen=True)
class Server:
    """One of the two."""

    name: str
    host: str
    root: str
    headers: dict[str, str] = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--connections", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (study := folder / "study").mkdir()
        write(study, options.slices)
        with bedside(folder, sorted(study.iterdir())) as ours, orthanc(folder) as theirs:
            theirs.store(sorted(study.iterdir()))
            other = Server("Orthanc", theirs.address.removeprefix("http://"), "/dicom-web")
            table(ours, other, options)


def table(ours: Server, theirs: Server, options: argparse.Namespace) -> None:
    study, series, instances = identify(ours)
    assert len(instances) == options.slices
    one = [f"/studies/{study}/series/{series}/instances/{uid}" for uid in instances]
    questions = {
        "frame": ([f"{path}/frames/1" for path in one], FRAMES),
        "instance": (one, FILES),
        "metadata of an instance": ([f"{path}/metadata" for path in one], JSON),
        f"metadata of the study ({options.slices} instances)": ([f"/studies/{study}/metadata"], JSON),
        "search for a study by patient": (["/studies?PatientID=1CT1&limit=10"], JSON),
        "series of a study": ([f"/studies/{study}/series"], JSON),
        f"instances of a series ({options.slices})": ([f"/studies/{study}/series/{series}/instances"], JSON),
    }
    print("| answers a second | bedside | Orthanc | ratio |\n|---|---:|---:|---:|")
    for what, (paths, accept) in questions.items():
        rates = [
            rate(server, paths, accept, options.seconds, options.connections) for server in (ours, theirs)
        ]
        print(f"| {what} | {rates[0]:.1f} | {rates[1]:.1f} | {rates[0] / rates[1]:.1f} |", flush=True)


def rate(server: Server, paths: list[str], accept: str, seconds: float, connections: int) -> float:
    """Return answers a second; a tenth of the time before it is for warming up.

    Whoever needs longer for one answer is given the time, which then counts.
    """
    counts, ends = [0] * connections, [0.0] * connections
    begin = time.perf_counter() + seconds / 10
    end = begin + seconds
    wrong: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            with Connection(server, accept) as connection:
                step = number * max(1, len(paths) // connections)
                while (now := time.perf_counter()) < end or not counts[number]:
                    connection.get(paths[step % len(paths)])
                    step += 1
                    counts[number] += now >= begin
                    ends[number] = time.perf_counter()
        except (AssertionError, OSError) as exc:
            wrong.append(exc)

    threads = [threading.Thread(target=ask, args=[n]) for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
    return sum(counts) / max(seconds, max(ends) - begin)


class Connection:
    """A client that costs little: one socket, and answers read into one buffer."""

    def __init__(self, server: Server, accept: str) -> None:
        host, _, port = server.host.partition(":")
        self._root = server.root
        self._head = "".join(f"{k}: {v}\r\n" for k, v in {**server.headers, "Accept": accept}.items())
        self._head = f" HTTP/1.1\r\nHost: {server.host}\r\n{self._head}\r\n"
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(2**24))

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def get(self, path: str) -> memoryview:
        """Return the body of an answer."""
        self._socket.sendall(f"GET {self._root}{path}{self._head}".encode())
        size = 0
        while (end := bytes(self._buffer[: min(size, 8192)]).find(b"\r\n\r\n")) < 0:
            size += self._received(size)
        head = bytes(self._buffer[:end]).decode("latin-1").lower()
        assert " 200 " in head.partition("\r\n")[0], head
        length = next((line for line in head.split("\r\n") if line.startswith("content-length:")), "")
        if not length:
            assert "transfer-encoding: chunked" in head, "an answer without its length"
            return self._chunked(end + 4, size)
        total = end + 4 + int(length.partition(":")[2])
        assert total <= len(self._buffer)
        while size < total:
            size += self._received(size)
        return self._buffer[end + 4 : total]

    def _chunked(self, start: int, size: int) -> memoryview:
        """Return the chunks of a body, as they came."""
        at = start
        while True:
            while (line := bytes(self._buffer[at : min(size, at + 20)]).find(b"\r\n")) < 0:
                size += self._received(size)
            length = int(bytes(self._buffer[at : at + line]), 16)
            at += line + 2 + length + 2
            while size < at:
                size += self._received(size)
            if not length:
                return self._buffer[start:at]

    def _received(self, size: int) -> int:
        got = self._socket.recv_into(self._buffer[size:])
        assert got, "the connection ended"
        return got


def identify(server: Server) -> tuple[str, str, list[str]]:
    with Connection(server, JSON) as connection:
        (series,) = json.loads(bytes(connection.get("/series")))
        study_uid, series_uid = series["0020000D"]["Value"][0], series["0020000E"]["Value"][0]
        found = json.loads(bytes(connection.get(f"/studies/{study_uid}/series/{series_uid}/instances")))
    return study_uid, series_uid, [one["00080018"]["Value"][0] for one in found]


@contextmanager
def bedside(folder: Path, study: list[Path]) -> Iterator[Server]:
    """Run the portal in a process of its own, over a deployment that holds the study."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    settings = folder / "bedside.toml"
    settings.write_text(f'[system]\nroot = "{folder}/data"\n[portal]\nlisten = "{host}"\n')
    deployment = open_deployment(load(settings, environment={}, flags={}).settings)
    arrived(deployment, study)
    account = Account(
        id=new_id(),
        email="bench@example.org",
        profile=Profile(name="Bench"),
        made_at=deployment.clock.now(),
        posts=(Post(role=PersonRole.VIEWER, node="default"),),
    )
    deployment.records.accounts.add(account)
    _, secret = deployment.people.tokens.make(account, Scope(name="bench"))
    began = time.perf_counter()
    while deployment.cataloguer.step():
        pass
    print(f"catalogued {len(study)} instances in {time.perf_counter() - began:.2f} s", file=sys.stderr)
    deployment.close()
    log = (folder / "portal.log").open("wb")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BEDSIDE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "bedside", "portal", "-c", str(settings)],
        stdout=log,
        stderr=log,
        env=environment,
    )
    try:
        _wait(host, process)
        yield Server("bedside", host, "/dicomweb/default", {"Authorization": f"Bearer {secret}"})
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


def _wait(host: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, "the portal ended by itself"
        try:
            socket.create_connection((host.partition(":")[0], int(host.partition(":")[2]))).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the portal does not answer")


if __name__ == "__main__":
    main()
