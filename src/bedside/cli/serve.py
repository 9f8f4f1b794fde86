"""``bedside serve``: the whole system on one machine, in one command.

Owns the supervisor's life: one instance per root, workers as processes of their own (a model that
takes a worker down takes nothing else), the drop-box watched here, and an orderly end.
"""

import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, load_settings, setting_option
from bedside.cli.worker import stop_on_signals
from bedside.errors import Unavailable

if TYPE_CHECKING:
    from bedside.adapters.dicomnet import DicomReceiver
    from bedside.adapters.process.workers import WorkerProcesses
    from bedside.wiring import Deployment
    from bedside.worker.pulse import Pulse
    from bedside.worker.stop import Stop
    from bedside.worker.upkeep import Upkeep

#: Beyond the workers' own grace, before the supervisor ends them.
EXTRA_GRACE_S = 8.0

#: Pause after the ledger or the disk was out of reach.
OUT_OF_REACH_S = 2.0

#: The portal ends answers under way within a few seconds, and is ended after so many.
PORTAL_GRACE_S = 8.0


@click.command(
    cls=Command, examples=["bedside serve", "bedside serve -c /etc/bedside/bedside.toml --workers 2 --once"]
)
@config_option
@setting_option("--workers", "worker.count", type=click.IntRange(min=0), help="Worker processes.")
@setting_option("--device", "worker.device", help="auto, cpu, cuda or cuda:N.")
@setting_option("--health", "serve.health", help="HOST:PORT at which GET /health says whether it works.")
@setting_option("--portal", "portal.listen", help="HOST:PORT of the portal; empty is none.")
@click.option("--once", is_flag=True, help="Stop when everything in the drop-box was read.")
def serve(
    config_path: Path | None,
    count: int | None,
    device: str | None,
    health: str | None,
    listen: str | None,
    once: bool,
) -> None:
    """Watch the drop-box, read every study that arrives, and write results.

    People sign in at portal.listen (docs/portal.md), and with dicom.port set studies may be sent by C-STORE
    (docs/dicom.md); with --once there is neither.
    Says what happens on standard error, one line each. Stops on SIGTERM or Ctrl-C: jobs in hand are
    finished within worker.grace_s, or given back.
    """
    from bedside.log import Lines
    from bedside.wiring import answering, open_deployment, receiving
    from bedside.worker.pulse import Pulse
    from bedside.worker.stop import Stop
    from bedside.worker.sweep import hold
    from bedside.worker.upkeep import Upkeep

    given = {"worker.count": count, "worker.device": device, "serve.health": health, "portal.listen": listen}
    loaded = load_settings(config_path, {k: v for k, v in given.items() if v is not None})
    settings = loaded.settings
    stop = Stop(grace_s=0)
    stop_on_signals(stop, also_interrupt=True)
    root = settings.system.root
    with hold(root / ".work" / "serve.lock", f"deployment {root}"):
        deployment = open_deployment(settings)
        deployment.log = Lines(deployment.clock.now)
        deployment.sources = loaded.sources
        try:
            deployment.log("serve.ready", root=root, pipelines=len(deployment.pipelines))
            upkeep = Upkeep(
                intake=deployment.intake,
                ledger=deployment.ledger,
                blobs=deployment.blobs,
                clock=deployment.clock,
                tenants=deployment.tenants,
                scratch=deployment.scratch,
                tidy_store=deployment.tidy,
                remind=deployment.remind,
                file_sets=settings.intake.file_set,
                log=deployment.log,
                observer=deployment.observer,
            )
            pulse = Pulse(deployment.clock.monotonic)
            with ExitStack() as held:
                held.enter_context(answering(settings.serve.health, pulse))
                portal = None if once else held.enter_context(_showing(deployment))
                receiver = None if once else held.enter_context(receiving(deployment))
                if receiver is not None:
                    pulse.include(lambda: receiver.listening)
                beside = _Beside(receiver=receiver, portal=portal)
                _supervise(deployment, upkeep, stop, pulse, beside=beside, once=once)
            deployment.log("serve.stopped")
        finally:
            deployment.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beside:
    """What works beside the rounds: the receiver, and the portal's process, where there are such."""

    receiver: "DicomReceiver | None"
    portal: "WorkerProcesses | None"


@contextmanager
def _showing(deployment: "Deployment") -> Iterator["WorkerProcesses | None"]:
    """Have the portal's process for a while, for whoever tends it to start; none without an address."""
    from bedside.adapters.process.workers import WorkerProcesses

    settings = deployment.settings
    if not settings.portal.listen:
        yield None
        return
    if find_spec("fastapi") is None:
        deployment.log("portal.missing", hint="pip install 'bedside[portal]'")
        yield None
        return
    portal = WorkerProcesses(
        [sys.executable, "-m", "bedside", "portal", "--supervisor", str(os.getpid())],
        configuration=b"\n".join(
            (settings.model_dump_json().encode(), json.dumps(dict(deployment.sources)).encode())
        ),
        count=1,
        log=deployment.log,
        kind="portal",
    )
    try:
        yield portal
    finally:
        portal.stop(PORTAL_GRACE_S)


def _supervise(
    deployment: "Deployment",
    upkeep: "Upkeep",
    stop: "Stop",
    pulse: "Pulse",
    *,
    beside: _Beside,
    once: bool,
) -> None:
    """Tend drop-box and workers until asked to stop, or until nothing is left to do."""
    from bedside.adapters.process.workers import WorkerProcesses

    settings = deployment.settings
    workers = WorkerProcesses(
        [sys.executable, "-m", "bedside", "worker", "--supervisor", str(os.getpid())],
        configuration=settings.model_dump_json().encode(),
        count=settings.worker.count,
        log=deployment.log,
    )
    deployment.woken = workers.nudge
    try:
        while not stop.requested:
            pause = _round(upkeep, workers, pulse, deployment)
            if beside.portal is not None:
                beside.portal.tend()
            if once and pause and upkeep.drained():
                break
            stop.wait(pause)
    finally:
        if beside.receiver is not None:
            beside.receiver.stop_listening()  # its open associations have the workers' grace to end
        workers.stop(settings.worker.grace_s + EXTRA_GRACE_S)
        upkeep.free_dead_workers()


def _round(upkeep: "Upkeep", workers: "WorkerProcesses", pulse: "Pulse", deployment: "Deployment") -> float:
    """Do one round of everything; return how long to wait before the next."""
    try:
        if workers.tend():
            upkeep.free_dead_workers(machine=socket.gethostname())
        pause = 0.0 if upkeep.step() else deployment.settings.intake.poll_s
        pulse.beat()
        return pause
    except Unavailable as missing:
        pulse.miss()
        deployment.log("serve.waits", reason=missing.message, hint=missing.hint)
        return OUT_OF_REACH_S
