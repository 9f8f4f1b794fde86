"""``bedside people remove-factor``."""

from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import noted, whole
from bedside.cli.output import note, write_json
from bedside.cli.people.find import account_of
from bedside.cli.people.shapes import account_json


@click.command(
    "remove-factor",
    cls=Command,
    examples=[
        "bedside people remove-factor ana@hospital.example",
        "bedside people remove-factor 97fbba7afb469236 --json",
    ],
)
@click.argument("who", metavar="EMAIL")
@config_option
@json_option
def remove_factor(who: str, config_path: Path | None, as_json: bool) -> None:
    """Take the second factor from somebody who lost the phone and the recovery codes; their sessions end.

    Where portal.second_factor_for demands one of their roles, they set up another as they come in next. EMAIL
    may be an account's id.
    """
    with whole(config_path) as deployment:
        account = account_of(deployment.people, who)
        was_there = deployment.seconds.remove(account)
        deployment.people.accounts.end_sessions(account.id)
        noted(deployment, "second_factor.reset", object=account.id)
    if as_json:
        write_json({**account_json(account), "had_factor": was_there})
        return
    note(f"account {account.id} {'has no second factor any more' if was_there else 'had no second factor'}")
