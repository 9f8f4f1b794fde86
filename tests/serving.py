"""A real `bedside serve` for tests: started, listened to, killed in parts, and asked what is left of it."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import nothing_bundle
from bedside.adapters.sql import SqlLedger
from bedside.domain.arrival import EntryState
from bedside.domain.job import ENDED, Job
from bedside.ports import JobFilter

#: Quick enough for tests; attempts enough for many kills.
CONFIGURATION = """
[system]
root = "data"

[ledger]
url = "{ledger_url}"

[portal]
listen = ""

[intake]
quiet_s = 0.2
poll_s = 0.1

[worker]
device = "cpu"
threads = 1
poll_s = 0.05
backoff_s = 0.1
lease_s = {lease_s}
grace_s = {grace_s}

[[pipeline]]
name = "nothing"
max_attempts = 20
{stage}

[[rule]]
name = "all"
pipeline = "nothing"
"""

#: Writes what depends on its input only, in two files, slowly enough to be caught at it.
PROGRAM = f"""#!{sys.executable} -IS
import hashlib, os, sys, time
source, target, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
names = sorted(os.listdir(source))
time.sleep(seconds)
os.mkdir(f"{{target}}/dicom")
for part in ("a", "b"):
    with open(f"{{target}}/dicom/{{part}}.dcm", "w") as file:
        file.write("\\n".join([part, *names]))
"""


class Serving:
    """A deployment in a folder.

    Args:
        folder: Its folder.
        stage: The keys of its only stage, TOML.
        lease_s: Of its workers.
        grace_s: Of its workers.
        ledger_url: Of a database; empty is SQLite in the folder.
    """

    def __init__(
        self,
        folder: Path,
        stage: str,
        *,
        lease_s: float = 30,
        grace_s: float = 20,
        ledger_url: str = "",
    ) -> None:
        self.folder = folder
        self.root = folder / "data"
        self.ledger_url = ledger_url or f"sqlite:///{self.root / 'ledger.db'}"
        self.lines: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self._started = 0
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "bedside.toml").write_text(
            CONFIGURATION.format(stage=stage, lease_s=lease_s, grace_s=grace_s, ledger_url=ledger_url)
        )
        self.inbox = self.root / "default" / "input"
        self.inbox.mkdir(parents=True)

    @property
    def ledger(self) -> SqlLedger:
        """The ledger, opened anew: what another process wrote is seen."""
        ledger = SqlLedger(self.ledger_url)
        ledger.prepare()
        return ledger

    def start(self, *arguments: str) -> None:
        """Start serve and listen to it."""
        self._started = len(self.lines)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bedside", "serve", *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()

    def submit(self, seed: str, *, behaviour: str = "works") -> None:
        """Put a small study into the drop-box, as a ZIP that appears whole."""
        study = nothing_bundle.write_study(self.folder / f"study-{seed}", behaviour=behaviour, seed=seed)
        packed = self.folder / f"{seed}.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            for path in sorted(study.iterdir()):
                archive.write(path, f"Doe^Jane/{path.name}")
        shutil.rmtree(study)
        packed.rename(self.inbox / packed.name)

    def kill(self, who: str) -> bool:
        """SIGKILL the supervisor, its workers or their children; return whether there was one."""
        assert self.process is not None
        workers = children_of(self.process.pid)
        targets = {
            "supervisor": [self.process.pid],
            "worker": workers,
            "child": [child for worker in workers for child in children_of(worker)],
        }[who]
        for pid in targets:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if who == "supervisor":
            self.process.wait()
        return bool(targets)

    def stop(self, timeout_s: float = 60) -> int:
        """Ask it to stop, once it can hear, and wait."""
        assert self.process is not None
        assert eventually(lambda: self.said("serve.ready", since=self._started), within_s=timeout_s)
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def said(self, action: str, *, since: int = 0) -> bool:
        """Return whether it said so since then."""
        return any(f"action={action} " in f"{line} " for line in self.lines[since:])

    def jobs(self) -> list[Job]:
        """Return all jobs."""
        ledger = self.ledger
        try:
            return list(ledger.jobs("default", JobFilter(), limit=1000))
        finally:
            ledger.close()

    def settled(self, count: int) -> bool:
        """Return whether so many jobs ended and all drop-box entries are settled."""
        ledger = self.ledger
        try:
            jobs = ledger.jobs("default", JobFilter(), limit=1000)
            entries = ledger.entries("default", limit=1000)
        finally:
            ledger.close()
        return (
            len(jobs) >= count
            and len({job.arrival_id for job in jobs}) >= count
            and all(job.state in ENDED for job in jobs)
            and all(entry.state is not EntryState.TAKEN for entry in entries)
            and not any(self.inbox.iterdir())
        )

    def found(self, pattern: str) -> int:
        """Return the number of the tenant's files that match."""
        return sum(1 for _ in (self.root / "default").glob(pattern))

    def leftover(self) -> list[str]:
        """Return what should not be there when nothing runs: work folders and locks of dead workers."""
        kept = {"serve.lock", "intake"}
        left = [path.name for path in (self.root / ".work").iterdir() if path.name not in kept]
        return left + [path.name for path in (self.root / "default").glob("work/*")]

    def processes(self) -> list[int]:
        """Return the processes that belong to this deployment, whoever their parent is now."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(self.folder):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def close(self) -> None:
        """End what is left."""
        for pid in self.processes():
            if pid != os.getpid():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.lines.append(line.decode(errors="replace").rstrip())


def children_of(pid: int) -> list[int]:
    """Return the processes that a process started and that still live."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if (
                entry.name.isdigit()
                and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def eventually(condition: Callable[[], object], *, within_s: float, every_s: float = 0.05) -> bool:
    """Wait for a condition; return whether it came true."""
    until = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(every_s)
    return True
