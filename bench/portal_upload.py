"""How fast studies come in through the portal's uploads: MB/s on loopback, every part's SHA-256 checked.

Run ``python bench/portal_upload.py [--mb 512] [--rounds 3] [--at-once 4] [--folder DIR]``. The portal is a
process of its own, as `bedside serve` starts it (uvicorn, one process), over a folder store and SQLite; who
asks is taken for granted, all else is real. The client hashes 8 MB parts and sends four at a time, as the
page does. Timed is everything from "begin" to "complete": hashing on both sides, each part flushed to the
disk, each part's CRC read back, and the rename into the drop-box. Afterwards the object is compared with what
was sent.
"""

import argparse
import base64
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

TENANT = "default"
SERVE = """
import socket, sys
from pathlib import Path
import uvicorn
from portal_site import Known, Means
from bedside.config import load
from bedside.portal.app import create_app
from bedside.wiring import open_deployment
folder = Path(sys.argv[1])
(folder / "bedside.toml").write_text(f'[system]\\nroot = "{folder}/data"\\n[portal]\\nlisten = ""\\n')
deployment = open_deployment(load(folder / "bedside.toml", environment={}, flags={}).settings)
listening = socket.create_server(("127.0.0.1", 0), backlog=128)
print(listening.getsockname()[1], flush=True)
config = uvicorn.Config(create_app(deployment, Known(means=Means.TOKEN)), log_config=None, access_log=False,
                        lifespan="off")
uvicorn.Server(config).run(sockets=[listening])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mb", type=int, default=512, help="million bytes in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE, folder],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        )
        assert server.stdout is not None
        try:
            port = int(server.stdout.readline())
            rounds = [_round(port, Path(folder), options) for _ in range(options.rounds)]
        finally:
            server.terminate()
            server.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = [took for took, _ in rounds]
    rates = [options.mb / took for took in seconds]
    print(
        "| MB | parts at once | s, median (least–most) | MB/s, median (least–most) | portal, CPU s per GB |"
    )
    print("| --- | --- | --- | --- | --- |")
    cpu = 1000 * (used.ru_utime + used.ru_stime) / (options.mb * options.rounds)
    print(f"| {options.mb} | {options.at_once} | {_spread(seconds)} | {_spread(rates, '.0f')} | {cpu:.1f} |")


def _round(port: int, folder: Path, options: argparse.Namespace) -> tuple[float, str]:
    data = os.urandom(10**6) * options.mb
    began = time.perf_counter()
    wish = {"fingerprint": os.urandom(16).hex(), "size_bytes": len(data)}
    upload = _ask(port, "POST", "", json.dumps(wish).encode())
    step = upload["part_bytes"]
    view = memoryview(data)

    def send(number: int) -> None:
        piece = view[(number - 1) * step : number * step]
        checksum = base64.b64encode(hashlib.sha256(piece).digest()).decode()
        _ask(port, "PUT", f"/{upload['id']}/parts/{number}", piece, f"sha-256=:{checksum}:")

    with ThreadPoolExecutor(options.at_once) as pool:
        list(pool.map(send, range(1, upload["parts"] + 1)))
    _ask(port, "POST", f"/{upload['id']}/complete")
    took = time.perf_counter() - began
    whole = folder / "data" / TENANT / "input" / f"{upload['id']}.zip"
    with whole.open("rb") as stream:
        assert hashlib.file_digest(stream, "sha256").digest() == hashlib.sha256(data).digest()
    whole.unlink()
    return took, upload["id"]


def _ask(port: int, method: str, path: str, body: Any = b"", digest: str = "") -> dict[str, Any]:
    connection = HTTPConnection("127.0.0.1", port, blocksize=2**20)
    headers = {"Content-Type": "application/octet-stream" if digest else "application/json"}
    if digest:
        headers["Content-Digest"] = digest
    headers["Content-Length"] = str(len(body))
    connection.request(method, f"/api/v1/tenants/{TENANT}/uploads{path}", body, headers)
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    assert answer.status < 300, (answer.status, said)
    found: dict[str, Any] = json.loads(said)
    return found


def _spread(values: list[float], form: str = ".2f") -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


if __name__ == "__main__":
    main()
