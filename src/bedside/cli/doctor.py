"""``bedside doctor``: what of this machine is as bedside needs it, and how to mend what is not.

Looks at everything and changes nothing. Each finding that is not ok has a command as its mend, since
"install X" is not something a person can type.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option, load_settings
from bedside.cli.checks import INSTALL_WORKER, Finding, Status, browser_code, configuration, fail, ok, warn
from bedside.cli.output import coloured, note, write_json
from bedside.errors import BedsideError, ConfigError

if TYPE_CHECKING:
    from bedside.config import Loaded, Settings

GIB = 2**30
#: One study of 150 slices on the CPU needs about 1.5 GB; the system around it needs some more.
MEMORY_LEAST, MEMORY_WANTED = 2 * GIB, 4 * GIB
DISK_LEAST, DISK_WANTED = 1 * GIB, 10 * GIB

NEWER_THAN_TESTED = (3, 14)

#: Asked in a process of its own: a broken torch may end its process, and only model/ may import it.
_ASK_TORCH = """
import json, torch
devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "devices": devices}))
"""


@click.command(cls=Command, examples=["bedside doctor", "bedside doctor --json"])
@config_option
@json_option
def doctor(config_path: Path | None, as_json: bool) -> int:
    """Check this machine, the installation, the configuration and the ledger; say how to mend them.

    Exits with 0 when nothing failed, 1 otherwise; warnings do not count.
    """
    findings: list[Finding] = []
    for finding in examine(config_path):
        findings.append(finding)
        if not as_json:
            click.echo(finding.line())
            if finding.mend and finding.status is not Status.OK:
                click.echo(f"      mend: {finding.mend}")
    failed = sum(finding.status is Status.FAIL for finding in findings)
    warned = sum(finding.status is Status.WARN for finding in findings)
    if as_json:
        write_json({"ok": not failed, "findings": [finding.as_json() for finding in findings]})
    else:
        verdict = f"{len(findings)} checks: {failed} failed, {warned} warnings"
        note(coloured(verdict, "red" if failed else "yellow" if warned else "green", sys.stderr))
    return 1 if failed else 0


def examine(config_path: Path | None) -> Iterator[Finding]:
    """Yield every finding, each as soon as it is known."""
    yield _python()
    yield memory(*_memory_bytes())
    yield _torch()
    yield from _codecs()
    try:
        loaded = load_settings(config_path)
    except ConfigError as exc:
        yield fail("configuration", exc.message, exc.hint)
        return
    yield _disk(loaded.settings.system.root)
    yield _writable(loaded.settings.system.root)
    if loaded.settings.store.url:
        yield _bucket(loaded.settings)
    if loaded.settings.queue.url or loaded.settings.queue.pools:
        yield _queues(loaded.settings)
    if loaded.settings.identity.issuer:
        yield _identity(loaded.settings)
    if loaded.settings.dicom.port:
        yield receiver(loaded.settings)
    if loaded.settings.portal.listen:
        yield browser_code()
    yield _containers(loaded.settings)
    yield from configuration(loaded)
    yield from _left_over(loaded)


def _containers(settings: "Settings") -> Finding:
    """Judge what runs MAPs: a failure only where a pipeline has one."""
    from bedside.adapters.containers import choose_engine

    stages = [stage for pipeline in settings.pipeline for stage in (pipeline, *pipeline.stage)]
    try:
        engine = choose_engine(settings.worker.engine, os.environ)
        version = engine.check()
    except BedsideError as exc:
        if any(stage.map for stage in stages):
            return fail("containers", exc.message, exc.hint)
        return warn("containers", f"{exc.message}; only MAPs need one", exc.hint)
    if missing := "; ".join(engine.shortfalls()):
        return warn("containers", f"{version}; {missing}", "apt install podman")
    return ok("containers", version)


def _python() -> Finding:
    version = sys.version.split()[0]
    if sys.version_info >= NEWER_THAN_TESTED:
        return warn(
            "Python", f"{version} is newer than what bedside is tested with", "python3.13 -m venv .venv"
        )
    return ok("Python", version)


def memory(available: int, total: int) -> Finding:
    """Judge the machine's memory, bytes."""
    detail = f"{available / GIB:.1f} of {total / GIB:.1f} GiB available"
    if available < MEMORY_LEAST:
        return fail("memory", f"{detail}, at least {MEMORY_LEAST / GIB:.0f} GiB is needed", "free -h")
    if available < MEMORY_WANTED:
        return warn("memory", f"{detail}, large studies want {MEMORY_WANTED / GIB:.0f} GiB", "free -h")
    return ok("memory", detail)


def _memory_bytes() -> tuple[int, int]:
    """Return available and total memory; that of the control group where it is smaller."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    found = {words[0]: int(words[1]) * 1024 for words in lines}
    available, total = found["MemAvailable:"], found["MemTotal:"]
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if limit.is_file() and used.is_file() and (text := limit.read_text().strip()) != "max":
        total = min(total, int(text))
        available = min(available, int(text) - int(used.read_text()))
    return available, total


def _torch() -> Finding:
    command = [sys.executable, "-c", _ASK_TORCH]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return fail("torch", "did not import within 120 s", INSTALL_WORKER)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return fail("torch", f"cannot be imported: {why}", INSTALL_WORKER)
    said = json.loads(done.stdout.strip().splitlines()[-1])
    if said["devices"]:
        return ok("torch", f"{said['version']}, {len(said['devices'])} GPU: {', '.join(said['devices'])}")
    if Path("/dev/nvidiactl").exists():
        build = f"built for CUDA {said['cuda']}" if said["cuda"] else "the CPU build"
        return warn("torch", f"{said['version']} ({build}) does not see this machine's GPU", "nvidia-smi")
    return ok(
        "torch", f"{said['version']}, {'CUDA' if said['cuda'] else 'CPU'} build, no GPU here: runs on the CPU"
    )


def _codecs() -> Iterator[Finding]:
    try:
        from bedside.dicom.decoders import decodable

        found = decodable()
    except ImportError as exc:
        yield fail("decoders", f"Python package {exc.name} cannot be imported", INSTALL_WORKER)
        return
    gaps = [syntax for syntax in found.values() if syntax.fault]
    for syntax in gaps:
        yield fail("decoders", f"{syntax.name} cannot be read: {syntax.fault}", INSTALL_WORKER)
    if not gaps:
        yield ok("decoders", f"all {len(found)} compressed transfer syntaxes give a sample's values")


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(_existing(root)).free
    detail = f"{free / GIB:.1f} GiB free at {root}"
    if free < DISK_LEAST:
        return fail(
            "disk", f"{detail}, at least {DISK_LEAST / GIB:.0f} GiB is needed", f"df -h {_existing(root)}"
        )
    if free < DISK_WANTED:
        return warn("disk", f"{detail}, {DISK_WANTED / GIB:.0f} GiB is wise", f"df -h {_existing(root)}")
    return ok("disk", detail)


def _writable(root: Path) -> Finding:
    where = _existing(root)
    try:
        with tempfile.NamedTemporaryFile(dir=where, prefix=".bedside-doctor-"):
            return ok("write access", str(root))
    except OSError as exc:
        user = os.environ.get("USER") or "$(id -un)"
        return fail("write access", f"{where}: {exc.strerror}", f"sudo chown {user} {where}")


def _bucket(settings: "Settings") -> Finding:
    from bedside.wiring import open_store

    try:
        return ok("store", open_store(settings).check())
    except BedsideError as exc:
        return fail("store", exc.message, exc.hint)


def _identity(settings: "Settings") -> Finding:
    from bedside.wiring.identity import identity_state

    try:
        return ok("identity", identity_state(settings))
    except BedsideError as exc:
        return fail("identity", exc.message, exc.hint)


def receiver(settings: "Settings") -> Finding:
    """Judge the receiver: one that is not started yet is no fault where its port is free."""
    from bedside.wiring.dicom import check_certificate, port_is_free, receiver_state

    wanted = settings.dicom
    where = f"{wanted.address}:{wanted.port}"
    try:
        check_certificate(settings)
        if port_is_free(wanted.address, wanted.port):
            return warn("DICOM receiver", f"nobody listens at {where}, which is free", "bedside serve")
        return ok("DICOM receiver", receiver_state(settings))
    except BedsideError as exc:
        return fail("DICOM receiver", exc.message, exc.hint)


def _queues(settings: "Settings") -> Finding:
    from bedside.wiring.queue import queues_state

    try:
        return ok("queue", queues_state(settings))
    except BedsideError as exc:
        return fail("queue", exc.message, exc.hint)


def _left_over(loaded: "Loaded") -> Iterator[Finding]:
    """Look for what waits for a person: dead letters, leases nobody beats."""
    settings = loaded.settings
    if not settings.ledger.url and not (settings.system.root / "ledger.db").exists():
        return  # opening would make it
    at = f" -c {loaded.path}" if loaded.path and loaded.path.name != "bedside.toml" else ""
    try:
        yield from _jobs_left(settings, at)
    except BedsideError as exc:
        yield fail("jobs", exc.message, exc.hint)


def _jobs_left(settings: "Settings", at: str) -> Iterator[Finding]:
    from bedside.domain.job import JobState
    from bedside.ports import JobFilter
    from bedside.wiring import open_deployment

    deployment = open_deployment(settings)
    try:
        now = deployment.clock.now()
        for tenant in deployment.tenants.known:
            by_state = {
                state: deployment.ledger.jobs(tenant, JobFilter(states=frozenset({state})), limit=1000)
                for state in (JobState.DEAD, JobState.RUNNING, JobState.QUEUED)
            }
            dead = by_state[JobState.DEAD]
            lost = [j for j in by_state[JobState.RUNNING] if j.lease_until and j.lease_until < now]
            if dead:
                yield warn(
                    f"jobs of {tenant}",
                    f"{len(dead)} dead",
                    f"bedside job list --state dead --tenant {tenant}{at}",
                )
            if lost:
                yield warn(
                    f"jobs of {tenant}",
                    f"{len(lost)} were left by a worker that is gone; serve takes them up",
                    f"bedside serve{at}",
                )
            waiting = len(by_state[JobState.QUEUED])
            if not dead and not lost:
                yield ok(f"jobs of {tenant}", f"none dead, none left behind, {waiting} waiting")
    finally:
        deployment.close()
