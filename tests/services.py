"""Real servers for tests, started for one session and stopped by their own process id.

PostgreSQL listens on a Unix socket in its own folder: no port to collide with, nobody else on the
machine can reach it. It refuses to run as root, so root starts it as ``nobody``.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

START_TIMEOUT_S = 60.0
NOBODY = 65534
INITDB = ("-U", "bedside", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")


@dataclass
class PostgresServer:
    """A running server; each call of `database` makes a new database in it."""

    folder: Path
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def database(self) -> str:
        """Make an empty database and return its SQLAlchemy URL."""
        import psycopg

        name = f"test_{next(self.numbers)}"
        with psycopg.connect(host=str(self.folder), user="bedside", dbname="postgres", autocommit=True) as c:
            c.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"postgresql://bedside@/{name}?host={self.folder}"


@contextmanager
def run_postgres(
    *, durable: bool = False, port: int = 0, certificate: bytes = b""
) -> Iterator[PostgresServer]:
    """Run a server in a new folder until the block ends.

    Args:
        durable: Flush to disk at each commit, as in production; off is quicker.
        port: On which it listens at 127.0.0.1 too, over TLS only; 0 is not at all.
        certificate: Its certificate and key as PEM, where it listens.
    """
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="bedside-pg-", dir="/tmp" if Path("/tmp").is_dir() else None))
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    try:
        subprocess.run(
            [*_as_owner(), binaries / "initdb", "-D", folder / "data", *INITDB],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        if port:
            _over_tls(folder / "data", certificate)
        with _server(binaries, folder, durable, port) as process:
            _wait_until_ready(process, folder, port or 5432)
            yield PostgresServer(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server(binaries: Path, folder: Path, durable: bool, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    switch = "on" if durable else "off"
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(folder),
        "fsync": switch,
        "synchronous_commit": switch,
        "max_connections": "60",
        "shared_buffers": "64MB",
    }
    if port:
        settings |= {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "ssl": "on",
            "ssl_cert_file": "server.pem",
            "ssl_key_file": "server.pem",
        }
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*_as_owner(), binaries / "postgres", "-D", folder / "data", *options],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=folder,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGQUIT)  # "immediate": what it holds is thrown away with its folder
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _over_tls(data: Path, certificate: bytes) -> None:
    """Let in over the network who comes over TLS, and nobody else."""
    file = data / "server.pem"
    file.write_bytes(certificate)
    file.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(file, NOBODY, NOBODY)
    (data / "pg_hba.conf").write_text("local all all trust\nhostssl all all 127.0.0.1/32 trust\n")


def _wait_until_ready(process: "subprocess.Popen[bytes]", folder: Path, port: int) -> None:
    import psycopg

    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(
                host=str(folder), port=port, user="bedside", dbname="postgres", connect_timeout=2
            ).close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start:\n{(folder / 'server.log').read_text()[-2000:]}")


def _binaries() -> Path:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb", path=os.pathsep.join([*map(str, folders), os.environ.get("PATH", "")]))
    if found is None:
        raise RuntimeError("initdb not found")
    return Path(found).parent


def _as_owner() -> list[str]:
    """Words before a command: not root, and ended when this process dies however it dies."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0:
        return [setpriv, "--pdeathsig", "INT"] if setpriv else []
    if setpriv is None:
        raise RuntimeError("PostgreSQL refuses root, and setpriv is not there to step down")
    return [setpriv, "--reuid=nobody", f"--regid={NOBODY}", "--clear-groups", "--pdeathsig", "INT"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the whole session; mark its users ``needs("initdb")``."""
    with run_postgres() as server:
        yield server
