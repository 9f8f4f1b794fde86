"""``bedside deploy run``: a command that asks the ledger, on a machine of the deployment.

The deployment's database admits its machines only. Refuses what could not work there before anything is
asked of AWS, and never starts a machine without asking.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, confirm, load_settings, yes_option
from bedside.cli.output import ProgressLine
from bedside.errors import UsageError

if TYPE_CHECKING:
    from bedside.config import DeploySettings
    from bedside.deploy.remote import Remote
    from bedside.ports.machines import Machine

#: Seconds for a command; those that ask the ledger take few.
TIMEOUT_S = 600


@click.command(
    cls=Command,
    context_settings={"allow_interspersed_args": False},
    examples=[
        "bedside deploy run -- job list --state dead",
        "bedside deploy run -- job retry 3f2a81c0",
        "bedside deploy run --yes -- release list --json",
    ],
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
@click.option(
    "--machine",
    "wanted",
    default="",
    show_default="any, the control machine first",
    metavar="ID",
    help="On which machine.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.IntRange(1, 86_400),
    default=TIMEOUT_S,
    metavar="SECONDS",
    help="After which the command is ended.",
)
@yes_option
@config_option
def run(command: tuple[str, ...], wanted: str, timeout_s: int, yes: bool, config_path: Path | None) -> None:
    """Run a command that asks the ledger on a machine of the deployment, which alone reaches it.

    That is job, release, archive, tenant or doctor. Prints what it printed and ends with its exit code. Where
    no machine runs, one is woken after a question, which --yes answers. The command itself can ask
    nobody: give it its own --yes after the --.
    """
    from bedside.deploy.remote import WAKE_S, Remote, encoded
    from bedside.wiring.cloud import open_clock, open_cloud, open_machines

    settings = load_settings(config_path).settings.deploy
    arguments = _checked(command)
    encoded(arguments)  # too long is said before anything is woken
    cloud = open_cloud(settings.region)
    cloud.caller()  # the first thing that can be wrong is said first
    remote = Remote(settings=settings, cloud=cloud, machines=open_machines(cloud.region), clock=open_clock())
    machine = remote.find(wanted)
    woken = machine is None
    if machine is None:
        machine = _woken(remote, cloud.region, yes=yes)
    # It may still install its software, and the command waits for that.
    limit_s = timeout_s + (int(WAKE_S) if woken else 0)
    with ProgressLine() as progress:
        answer = remote.run(machine, arguments, timeout_s=limit_s, tell=progress.update)
    if answer.lost:
        raise UsageError(
            f"the command ran on {machine.id} (exit code {answer.code}), but its answer of {answer.lost} "
            "characters is longer than what AWS brings back",
            hint="ask for less, e.g. bedside deploy run -- job list --limit 100 --offset 100",
        )
    click.echo(answer.out, nl=False)
    click.echo(answer.err, nl=False, err=True)
    if answer.code:
        sys.stdout.flush()
        raise click.exceptions.Exit(answer.code)


def _checked(command: Sequence[str]) -> list[str]:
    """Return the arguments of bedside.

    Raises:
        UsageError: The command is none that machines run.
    """
    from bedside.deploy.remote import COMMANDS

    arguments = list(command[1:] if command[0] == "bedside" else command)
    noun = arguments[0] if arguments else ""
    if noun in COMMANDS:
        return arguments
    if noun == "submit":
        raise UsageError(
            "submit reads files of this machine, which the deployment's machines do not have",
            hint="aws s3 cp STUDY.zip s3://BUCKET/input/TENANT/ (bedside deploy status names the bucket); "
            "for others: bedside deploy run -- tenant upload-link TENANT",
        )
    raise UsageError(
        f"{noun or 'nothing'!r} is not run on machines: those that ask the ledger are {', '.join(COMMANDS)}",
        hint=f"bedside {noun} --help" if noun == "deploy" else "bedside deploy run -- job list",
    )


def _woken(remote: "Remote", region: str, *, yes: bool) -> "Machine":
    """Wait for a machine; where none is on its way, ask whether one may be woken, and say what it costs."""
    if not remote.underway():
        from bedside.deploy.variables import machine_prices

        prices = machine_prices(remote.settings, region)
        pool = remote.wakeable(prices)
        confirm(_question(remote.settings, pool, prices[pool]), yes=yes)
        remote.wake(pool)
    with ProgressLine() as progress:
        return remote.wait(progress.update)


def _question(settings: "DeploySettings", pool: str, prices: dict[str, float]) -> str:
    from bedside.deploy.estimated import pool_plan

    wish = settings.pools[pool]
    kind = wish.instance_types[0]
    start_s = pool_plan(wish).lead_s
    said = "its price is not in the table"
    if kind in prices:
        hour = prices[kind]
        whole = hour * (start_s + wish.idle_s + 60) / 3600
        said = f"USD {hour:.3g} an hour, about USD {whole:.2f} until it leaves again"
    return (
        f"No machine of {settings.name} runs. Wake one of pool {pool} ({kind}, {said}, "
        f"about {start_s / 60:.0f} min to start)?"
    )
