"""The applied deployment at work: machines are processes, each with what the deployment gives a real one.

Bucket, queues, groups and the ledger's parameter are those that Terraform's outputs name. A machine is an
instance that its group started: its user data runs to the end, and its service's command is started with the
files that came of it (see `deployed_machine`). Here is no docker, no GPU and no RDS, so three things differ:
containers run by the kernel alone, on the CPU, and the ledger's parameter holds the URL of a PostgreSQL
server of the tests. What machines share they reach through services only.
"""

import io
import os
import signal
import ssl
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx

import nothing_bundle
from applied import Deployment
from aws_pool import Pool
from bedside.adapters.aws.blobs import S3BlobStore
from bedside.adapters.aws.places import Bucket
from bedside.adapters.sql import SqlLedger
from bedside.domain.arrival import Entry, EntryState
from bedside.domain.job import Job
from bedside.ports import JobFilter
from deployed_machine import Node
from serving import children_of, eventually

#: What a test's machine has otherwise than the deployment says, by what it says.
ELSE_THERE = {
    ("BEDSIDE_WORKER_ENGINE", "docker"): "none",
    ("BEDSIDE_WORKER_DEVICE", "cuda"): "cpu",
    ("BEDSIDE_SERVE_HEALTH", "127.0.0.1:8081"): "",
    ("BEDSIDE_DICOM_PORT", "11112"): "0",
}
_NUMBERS = count(1)

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
    """One story on the deployment: its tenant, its machines and its ledger are of this story alone.

    Attributes:
        folder: Takes a folder for each machine.
        deployment: What was applied; this process's environment points at it.
        ledger_url: Of an empty database.
        pipelines: Pipelines and rules, TOML.
        tenants: Who is served; the bucket holds what the other stories have left.
        cache: Of container images that were unpacked; shared so that each is unpacked once.
        quiet_s: Unchanged this long is complete.
        lease_s: Of the workers.
    """

    folder: Path
    deployment: Deployment
    ledger_url: str
    pipelines: str
    tenants: tuple[str, ...] = field(default_factory=lambda: (f"story-{next(_NUMBERS)}",))
    cache: Path
    quiet_s: float = 0.3
    lease_s: float = 8.0
    machines: "list[Machine]" = field(default_factory=list)
    _stores: dict[str, S3BlobStore] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cloud, outputs = self.deployment.cloud, self.deployment.outputs
        self.bucket, self.queue = outputs["bucket"], outputs["queue_url"]
        self.dead_letters = outputs["dead_letter_url"]
        self.pool = Pool(cloud=self.cloud, group=outputs["groups"]["default"])
        self.control = Pool(cloud=self.cloud, group=outputs["control"]["group"])
        self.tenant = self.tenants[0]
        trusted = ssl.create_default_context(cafile=self.cloud.certificate)
        self._browser = httpx.Client(trust_env=False, timeout=60, verify=trusted)
        for queue in (self.queue, self.dead_letters):
            self.cloud.drop_messages(queue)
        self.pool.empty()
        self.cloud.client("ssm").put_parameter(
            Name=outputs["ledger_url_parameter"], Value=self.ledger_url, Type="SecureString", Overwrite=True
        )
        self.folder.mkdir(parents=True)
        self.configure()
        self.ledger = SqlLedger(self.ledger_url)
        self.ledger.prepare()

    def configure(self) -> None:
        """Send the archive that machines install; those that start from now on have this configuration."""
        text = CONFIGURATION.format(
            tenants=list(self.tenants),
            quiet_s=self.quiet_s,
            lease_s=self.lease_s,
            pipelines=self.pipelines,
        )
        self.deployment.send_software(text)

    def start(self) -> "Machine":
        """Start a machine, and wait until it looked at the drop-boxes once: from then on, events count."""
        (machine,) = self.start_all(1)
        return machine

    def start_all(self, count: int) -> "list[Machine]":
        """Start several machines of the pool at once."""
        return self._started([self.pool] * count, "worker.ready")

    def start_control(self) -> "Machine":
        """Start the control machine, which does intake and no job."""
        (machine,) = self._started([self.control], "serve.ready")
        return machine

    def _started(self, pools: list[Pool], word: str) -> "list[Machine]":
        first = len(self.machines) + 1
        started = [Machine(self, self.folder / f"{first + n}", pool) for n, pool in enumerate(pools)]
        self.machines += started
        for machine in started:
            assert eventually(lambda machine=machine: machine.said(word), within_s=60), machine.told()  # type: ignore[misc]
        return started

    def store(self, tenant: str = "") -> S3BlobStore:
        """Return a tenant's store, as somebody who may sign URLs has it."""
        tenant = tenant or self.tenant
        return self._stores.setdefault(tenant, S3BlobStore(Bucket(name=self.bucket), tenant))

    def upload(self, name: str, content: bytes, tenant: str = "") -> None:
        """Send an object as a browser does: to a signed URL, without credentials."""
        url = self.store(tenant).presign_put(f"input/{name}", 60, size_bytes=len(content))
        self._browser.put(url, content=content).raise_for_status()

    def send(self, seed: str, *, behaviour: str = "works") -> None:
        """Send a small study as a ZIP; what the foreign MAP does with it, its brightest voxel says."""
        study = nothing_bundle.write_study(self.folder / "sent" / seed, behaviour=behaviour, seed=seed)
        self.upload(f"{seed}.zip", zipped(study.iterdir()))

    def jobs(self, tenant: str = "") -> list[Job]:
        return list(self.ledger.jobs(tenant or self.tenant, JobFilter(), limit=1000))

    def entries(self, tenant: str = "") -> list[Entry]:
        return list(self.ledger.entries(tenant or self.tenant, limit=1000))

    def settled(self, count: int, tenant: str = "") -> bool:
        """Whether so many entries came, and all of them left the drop-box."""
        entries = self.entries(tenant)
        return len(entries) >= count and all(entry.state is not EntryState.TAKEN for entry in entries)

    def actions(self, job: Job) -> list[str]:
        return [event.action for event in self.ledger.events(job.tenant, job_id=job.id)]

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Type a command on the machine that was started last."""
        return self.machines[-1].command(*words)

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

    def __init__(self, site: Site, folder: Path, pool: Pool) -> None:
        self.pool = pool
        self.node = Node(cloud=site.cloud, instance=pool.take(), root=folder)
        self.node.set_up()
        given = self.node.environment
        for (name, there), here in ELSE_THERE.items():
            if name in given:
                assert given[name] == there, f"the deployment gives {name}={given[name]}"
                given[name] = here
        self.environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            **given,
            "BEDSIDE_CACHE": str(site.cache),
            "BEDSIDE_IDENTITY_KEYS_URL": site.deployment.keys_url,
            "SSL_CERT_FILE": str(site.cloud.certificate),
        }
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            self.node.command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=self.environment,
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Type a command, with the service's settings."""
        program, *_ = self.node.command
        return subprocess.run(
            [program, "-m", "bedside", *words, "-c", str(self.node.configuration)],
            cwd=self.node.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

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

    def lose(self) -> None:
        """Cut its power, and let its group see that it is gone."""
        self.kill()
        self.pool.lose(self.node.instance)

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


#: Begins a story whose only pipeline is one version of the MAP; more are attributes of `Site`.
SiteOf = Callable[..., Site]


def zipped(paths: Iterable[Path], folder: str = "Meitner^Lise") -> bytes:
    """Return a ZIP as people send it, named inside after the patient."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in sorted(paths):
            archive.write(path, f"{folder}/{path.name}")
    return stream.getvalue()
