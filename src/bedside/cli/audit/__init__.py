"""``bedside audit``: who did what, and whether the answer is whole.

One module per verb: `look` (list), `verify`, `export`.
"""

import click

from bedside.cli.base import Group

_HERE = "bedside.cli.audit"

COMMANDS = {
    "list": (f"{_HERE}.look:list_records", "List who did what, newest first."),
    "verify": (f"{_HERE}.verify:verify", "Look whether every record follows from the one before it."),
    "export": (
        f"{_HERE}.export:export",
        "Write the trail as JSON Lines, to be checked elsewhere, or as CSV.",
    ),
}


@click.group(
    cls=Group,
    table=COMMANDS,
    examples=["bedside audit list --action result.viewed --since 7d", "bedside audit verify"],
)
def audit() -> None:
    """Show who saw, sent, judged or changed what, and prove that nobody rewrote it."""
