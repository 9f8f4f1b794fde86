"""``bedside people``: who may come into the portal, from the shell of a machine that reaches its ledger.

One module per kind: `look` (list), `links` (invite, reset), `switch` (disable, enable), `factor`
(remove-factor). Whoever has this shell has the ledger, so these commands ask for no account: they are how a
locked-out administrator gets in.
"""

import click

from bedside.cli.base import Group

_HERE = "bedside.cli.people"

COMMANDS = {
    "list": (f"{_HERE}.look:list_people", "List accounts and open invitations."),
    "invite": (f"{_HERE}.links:invite", "Make a one-time link with which somebody gets an account."),
    "reset": (f"{_HERE}.links:reset", "Make a one-time link to choose another password."),
    "disable": (f"{_HERE}.switch:disable", "Let somebody in no more."),
    "enable": (f"{_HERE}.switch:enable", "Let somebody in again."),
    "remove-factor": (f"{_HERE}.factor:remove_factor", "Take the second factor from who lost the phone."),
}


@click.group(
    cls=Group,
    table=COMMANDS,
    examples=["bedside people list", "bedside people invite ana@hospital.example --role admin"],
)
def people() -> None:
    """List, invite and disable people, and give them another password; also when nobody can sign in."""
