"""``bedside people list``."""

from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import whole
from bedside.cli.job.shapes import moment
from bedside.cli.output import note, write_json, write_table
from bedside.cli.people.shapes import account_json, link_json, post_words
from bedside.domain.account import Account, AccountState

#: Fetched at a time.
PAGE = 500


@click.command(
    "list", cls=Command, examples=["bedside people list", "bedside people list --state waiting --json"]
)
@click.option("--search", default="", help="Part of a name, an address or a department.")
@click.option(
    "--state",
    type=click.Choice([state.value for state in AccountState]),
    default=None,
    show_default="any",
    help="Those in this state only.",
)
@config_option
@json_option
def list_people(search: str, state: str | None, config_path: Path | None, as_json: bool) -> None:
    """List accounts by address, and invitations that nobody took yet.

    Names and addresses are printed: mind who reads along.
    """
    wanted = AccountState(state) if state else None
    with whole(config_path) as deployment:
        admin = deployment.people.administration
        found: list[Account] = []
        while page := admin.page(None, search=search, state=wanted, limit=PAGE, offset=len(found)).accounts:
            found += page
        invitations = deployment.people.invitations.open(None)
    if as_json:
        write_json(
            {
                "accounts": [account_json(account) for account in found],
                "invitations": [link_json(link) for link in invitations],
            }
        )
        return
    if not found:
        note("no account fits; bedside people invite EMAIL --role admin makes a link for a first one")
    rows = [
        (
            account.email,
            account.profile.name,
            account.state.value,
            post_words(account.person.posts),
            moment(account.seen_at) if account.seen_at else "",
        )
        for account in found
    ]
    if rows:
        write_table(("e-mail", "name", "state", "roles", "last signed in"), rows)
    for link in invitations:
        note(f"invited until {moment(link.expires_at)}: {link.email}, {post_words(link.posts)}")
