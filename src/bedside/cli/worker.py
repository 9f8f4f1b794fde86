"""``bedside worker``: one worker process, started by ``serve`` or by the machine's own service manager.

Owns signals and the worker's lock file; the work is `bedside.worker.loop`.
"""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, load_settings, setting_option
from bedside.errors import ConfigError

if TYPE_CHECKING:
    from bedside.config import Settings
    from bedside.worker.stop import Stop


@click.command(
    cls=Command, examples=["bedside worker", "bedside worker -c /etc/bedside/bedside.toml --device cuda:1"]
)
@config_option
@setting_option("--device", "worker.device", help="auto, cpu, cuda or cuda:N.")
@click.option("--supervisor", type=int, hidden=True, help="Settings come on stdin; end with this process.")
def worker(config_path: Path | None, device: str | None, supervisor: int | None) -> None:
    """Work on jobs until stopped; the drop-box is watched by a bedside serve of the same ledger.

    Stops on SIGTERM or Ctrl-C: a job in hand is finished within worker.grace_s, or given back.
    """
    from bedside.log import Lines
    from bedside.runtime.lifeline import die_with_parent
    from bedside.wiring import open_deployment, worker_name
    from bedside.worker.stop import Stop
    from bedside.worker.sweep import hold, worker_lock

    if supervisor is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the supervisor, which asks us
        die_with_parent(supervisor, signal.SIGTERM)
        settings = settings_from_stdin()
    else:
        settings = load_settings(config_path, {"worker.device": device} if device else {}).settings
    # The supervisor's pipe, on which the settings came, brings its nudges from here on.
    nudges = sys.stdin.fileno() if supervisor is not None else None
    stop = Stop(grace_s=settings.worker.grace_s, nudges=nudges)
    stop_on_signals(stop, also_interrupt=supervisor is None)
    deployment = open_deployment(settings)
    name = worker_name()
    deployment.log = Lines(deployment.clock.now, worker=name)
    try:
        with hold(worker_lock(deployment.scratch, name), f"worker {name}"):
            runner = deployment.runner(deployment.scratch / name)
            deployment.log("worker.ready", pools=",".join(settings.worker.pools) or "every")
            try:
                deployment.worker(name, runner, stop).run()
            finally:
                runner.close()
            deployment.log("worker.stopped")
    finally:
        deployment.close()


def stop_on_signals(stop: "Stop", *, also_interrupt: bool) -> None:
    """Turn SIGTERM, and Ctrl-C where asked to, into the wish to stop; a second Ctrl-C stops at once."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        if stop.requested and _number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.request()

    signal.signal(signal.SIGTERM, ask)
    if also_interrupt:
        signal.signal(signal.SIGINT, ask)


def settings_from_stdin() -> "Settings":
    """Read the settings that the supervisor found, so that both have the same from one reading."""
    from bedside.config import Settings

    line = sys.stdin.buffer.readline()
    if not line:
        raise ConfigError("no settings on stdin", hint="leave --supervisor out, and say -c bedside.toml")
    return Settings.model_validate_json(line)
