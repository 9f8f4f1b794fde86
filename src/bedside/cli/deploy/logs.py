"""``bedside deploy logs``."""

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option, load_settings
from bedside.cli.output import note
from bedside.cli.span import Span
from bedside.errors import NotFound

if TYPE_CHECKING:
    from bedside.ports.cloudlogs import LogLine

_PARTS = ("workers", "waker", "machines", "control", "ledger")


@click.command(
    cls=Command,
    examples=[
        "bedside deploy logs --since 2h --filter job.dead",
        "bedside deploy logs --part machines --part waker",
        "bedside deploy logs --follow --filter 3f2a81c0",
    ],
)
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(_PARTS),
    show_default="all but the ledger",
    help="Whose: machines that read, the waker, why machines came and went, control machine, database.",
)
@click.option(
    "--since", type=Span(), default="1h", show_default=True, help="How far back, e.g. 90s, 30m, 2h, 1d."
)
@click.option("--filter", "phrase", default="", help="Only lines that hold this text, e.g. a job's id.")
@click.option("--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@config_option
@json_option
def logs(
    parts: tuple[str, ...],
    since: timedelta,
    phrase: str,
    follow: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Show what the deployment's machines and its waker wrote, oldest first, times in UTC.

    With --json each line is an object of its own. They hold ids and numbers, and no patient's data.
    """
    from bedside.deploy.logs import USUAL, Part, groups_of
    from bedside.deploy.logs import follow as following
    from bedside.wiring.cloud import open_clock, open_cloud, open_logs

    settings = load_settings(config_path).settings.deploy
    cloud = open_cloud(settings.region)
    cloud.caller()  # the first thing that can be wrong is said first
    reader, clock = open_logs(cloud.region), open_clock()
    names = groups_of(reader, settings.name, [Part(part) for part in parts] or USUAL)
    if not names:
        raise NotFound(
            f"no logs of deployment {settings.name} in {cloud.region}"
            + (f" for {', '.join(parts)}" if parts else ""),
            hint="bedside deploy status",
        )
    begin = clock.now() - since
    if follow:
        _write(following(reader, list(names), since=begin, phrase=phrase, clock=clock), names, as_json)
        return
    found = reader.lines(list(names), since=begin, phrase=phrase)
    _write(found, names, as_json)
    if not found:
        note(f"no line since {begin:%Y-%m-%d %H:%M:%S} UTC in {', '.join(names.values())}")


def _write(lines: "Iterable[LogLine]", names: Mapping[str, str], as_json: bool) -> None:
    from bedside.deploy.logs import worded

    for line in lines:
        if as_json:
            told = {
                "at": line.at.isoformat(),
                "part": names[line.group],
                "by": line.stream,
                "text": line.text,
            }
            click.echo(json.dumps(told, ensure_ascii=False))
        elif text := worded(line.text):
            click.echo(f"{line.at:%Y-%m-%d %H:%M:%S}  {names[line.group]}  {line.stream}  {text}")
