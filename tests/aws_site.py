"""A deployment on emulated AWS whose machines are processes, each with what a real machine is given.

A bucket announces to a queue, the ledger is a PostgreSQL server, and a machine is the command that its
service starts, with the variables that its user data writes. What machines share they reach through
services only: each has its own root folder, and its own connections.
"""

import io
import os
import re
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

import nothing_bundle
from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.adapters.sql import SqlLedger
from bedside.deploy.workspace import MODULES
from bedside.domain.arrival import Entry, EntryState
from bedside.domain.job import Job
from bedside.ports import JobFilter
from clouds import Cloud
from serving import children_of, eventually

#: What the workers' module writes into a machine's environment, beside the ledger's URL and the region.
GIVEN = frozenset(
    re.findall(r"^ +(BEDSIDE_\w+) +=", (MODULES / "modules/workers/main.tf").read_text(), re.MULTILINE)
)

NO_ARCHIVE = {"BEDSIDE_ARCHIVE_DATASTORE": "", "BEDSIDE_ARCHIVE_ROLE": ""}

#: As whoever deploys writes it, but for times that fit a test.
CONFIGURATION = """
[system]
tenants = {tenants}

[intake]
quiet_s = {quiet_s}
poll_s = 0.2

[worker]
threads = 1
poll_s = 0.1
backoff_s = 0.1
lease_s = {lease_s}

{pipelines}
"""


@dataclass(kw_only=True)
class Site:
    """One deployment.

    Attributes:
        folder: Takes a folder for each machine.
        cloud: The emulator; this process's environment points at it.
        ledger_url: Of an empty database.
        pipelines: Pipelines and rules, TOML.
        tenants: Who is served.
        archive: Variables of the archive; none is no archive.
        cache: Of container images that were unpacked; shared so that each is unpacked once.
        quiet_s: Unchanged this long is complete.
        lease_s: Of the workers.
        bucket: Announces to the queue; made here unless it is there.
        queue: Its URL; made here unless it is there.
    """

    folder: Path
    cloud: Cloud
    ledger_url: str
    pipelines: str
    tenants: tuple[str, ...] = ("default",)
    archive: Mapping[str, str] = field(default_factory=dict)
    cache: Path
    quiet_s: float = 0.3
    lease_s: float = 3.0
    bucket: str = ""
    queue: str = ""
    machines: "list[Machine]" = field(default_factory=list)
    _stores: dict[str, S3BlobStore] = field(default_factory=dict)
    _browser: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=60))

    def __post_init__(self) -> None:
        self.bucket = self.bucket or self.cloud.bucket()
        self.queue = self.queue or self.cloud.queue(announces=self.bucket)
        self.dead_letters = f"{self.queue}-dead"
        self.folder.mkdir(parents=True)
        self.configuration = self.folder / "bedside.toml"
        self.configure()
        self.ledger = SqlLedger(self.ledger_url)
        self.ledger.prepare()

    def configure(self) -> None:
        """Write the configuration that machines which start from now on have."""
        self.configuration.write_text(
            CONFIGURATION.format(
                tenants=list(self.tenants),
                quiet_s=self.quiet_s,
                lease_s=self.lease_s,
                pipelines=self.pipelines,
            )
        )

    def environment(self, root: Path) -> dict[str, str]:
        """Return what a machine's environment file holds."""
        given = {
            "BEDSIDE_STORE_URL": f"s3://{self.bucket}",
            "BEDSIDE_QUEUE_URL": self.queue,
            "BEDSIDE_QUEUE_POOLS": f"default={self.queue}",
            "BEDSIDE_SYSTEM_ROOT": str(root),
            "BEDSIDE_WORKER_POOLS": "default",
            "BEDSIDE_WORKER_ENGINE": "none",  # docker there; a test cannot count on one
            "BEDSIDE_WORKER_DEVICE": "cpu",
            "BEDSIDE_WORKER_GRACE_S": "20",
            "BEDSIDE_METRICS_SINK": "emf",
            "BEDSIDE_METRICS_FILE": str(root.parent / "metrics.log"),
            "BEDSIDE_METRICS_DEPLOYMENT": "site",
            **(self.archive or NO_ARCHIVE),
        }
        assert given.keys() == GIVEN, f"the module gives machines {sorted(GIVEN ^ given.keys())}"
        return {**given, "BEDSIDE_LEDGER_URL": self.ledger_url, "BEDSIDE_CACHE": str(self.cache)}

    def start(self, *, workers: int = 1) -> "Machine":
        """Start a machine, and wait until it looked at the drop-boxes once: from then on, events count.

        Args:
            workers: None is a machine that does intake only, as the one of portal and receiver does.
        """
        (machine,) = self.start_all(1, workers=workers)
        return machine

    def start_all(self, count: int, *, workers: int = 1) -> "list[Machine]":
        """Start several machines at once."""
        first = len(self.machines) + 1
        started = [Machine(self, self.folder / f"machine-{first + n}", workers) for n in range(count)]
        self.machines += started
        word = "worker.ready" if workers else "serve.ready"
        for machine in started:
            assert eventually(lambda machine=machine: machine.said(word), within_s=60), machine.told()  # type: ignore[misc]
        return started

    def store(self, tenant: str = "default") -> S3BlobStore:
        """Return a tenant's store, as somebody who may sign URLs has it."""
        return self._stores.setdefault(tenant, S3BlobStore(Bucket(name=self.bucket), tenant))

    def upload(self, name: str, content: bytes, tenant: str = "default") -> None:
        """Send an object as a browser does: to a signed URL, without credentials."""
        url = self.store(tenant).presign_put(f"input/{name}", 60, size_bytes=len(content))
        self._browser.put(url, content=content).raise_for_status()

    def send(self, seed: str, *, behaviour: str = "works") -> None:
        """Send a small study as a ZIP; what the foreign MAP does with it, its brightest voxel says."""
        study = nothing_bundle.write_study(self.folder / "sent" / seed, behaviour=behaviour, seed=seed)
        self.upload(f"{seed}.zip", zipped(study.iterdir()))

    def jobs(self, tenant: str = "default") -> list[Job]:
        return list(self.ledger.jobs(tenant, JobFilter(), limit=1000))

    def entries(self, tenant: str = "default") -> list[Entry]:
        return list(self.ledger.entries(tenant, limit=1000))

    def settled(self, count: int, tenant: str = "default") -> bool:
        """Whether so many entries came, and all of them left the drop-box."""
        entries = self.entries(tenant)
        return len(entries) >= count and all(entry.state is not EntryState.TAKEN for entry in entries)

    def actions(self, job: Job) -> list[str]:
        return [event.action for event in self.ledger.events(job.tenant, job_id=job.id)]

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Type a command on a machine of its own, which has the deployment's settings."""
        return subprocess.run(
            [sys.executable, "-m", "bedside", *words, "-c", str(self.configuration)],
            cwd=self.folder,
            env={**os.environ, **self.environment(self.folder / "desk")},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def told(self) -> str:
        """Return what the machines said last."""
        return "\n".join(machine.told() for machine in self.machines)

    def close(self) -> None:
        """Switch every machine off."""
        for machine in self.machines:
            machine.kill()
        self._browser.close()
        self.ledger.close()


class Machine:
    """One machine: its service's command, heard line by line."""

    def __init__(self, site: Site, folder: Path, workers: int) -> None:
        folder.mkdir()
        command = ["serve", "--workers", str(workers), "--config", str(site.configuration)]
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            # ExecStart of bedside-worker.service
            [sys.executable, "-m", "bedside", *command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", **site.environment(folder / "root")},
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def said(self, action: str) -> bool:
        return any(f"action={action} " in f"{line} " for line in self.lines)

    def told(self) -> str:
        return "\n".join(self.lines[-15:])

    def kill(self) -> None:
        """Cut its power: every process of it ends at once, and nothing is told to anybody."""
        found = [self.process.pid]
        for pid in found:  # it grows as it is walked
            found += children_of(pid)
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(20)

    def stop(self) -> int:
        """End it as systemd does; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.decode(errors="replace").rstrip())


@dataclass(frozen=True)
class Models:
    """Versions of one MAP in a registry, and their digests."""

    name: str
    digests: Mapping[str, str]


#: Makes a deployment whose only pipeline is one version of the MAP; more are attributes of `Site`.
SiteOf = Callable[..., Site]


def zipped(paths: Iterable[Path], folder: str = "Meitner^Lise") -> bytes:
    """Return a ZIP as people send it, named inside after the patient."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in sorted(paths):
            archive.write(path, f"{folder}/{path.name}")
    return stream.getvalue()
