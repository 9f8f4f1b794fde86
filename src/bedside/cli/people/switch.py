"""``bedside people disable`` and ``enable``."""

from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import noted, whole
from bedside.cli.output import note, write_json
from bedside.cli.people.find import account_of
from bedside.cli.people.shapes import account_json


@click.command(
    cls=Command,
    examples=["bedside people disable bo@hospital.example", "bedside people disable 97fbba7afb469236 --json"],
)
@click.argument("who", metavar="EMAIL")
@config_option
@json_option
def disable(who: str, config_path: Path | None, as_json: bool) -> None:
    """Let somebody in no more: their sessions, tokens, links and open invitations end at once.

    What they did stays as it is. The last administrator of the root cannot be disabled. EMAIL may be an id.
    """
    with whole(config_path) as deployment:
        account = account_of(deployment.people, who)
        after = deployment.people.administration.disable(None, account.id)
        noted(deployment, "account.disabled", object=account.id)
    if as_json:
        write_json(account_json(after))
        return
    note(f"account {after.id} is disabled; bedside people enable {after.id} lets them in again")


@click.command(
    cls=Command,
    examples=["bedside people enable bo@hospital.example", "bedside people enable 97fbba7afb469236 --json"],
)
@click.argument("who", metavar="EMAIL")
@config_option
@json_option
def enable(who: str, config_path: Path | None, as_json: bool) -> None:
    """Let somebody in again who was disabled, with the roles and the password they had.

    Tokens and invitations that ended stay ended. EMAIL may be an account's id.
    """
    with whole(config_path) as deployment:
        account = account_of(deployment.people, who)
        after = deployment.people.administration.enable(None, account.id)
        noted(deployment, "account.enabled", object=account.id)
    if as_json:
        write_json(account_json(after))
        return
    note(f"account {after.id} is active")
