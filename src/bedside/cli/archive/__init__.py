"""``bedside archive``: what of the results is in the archive, what is not yet, and what to do about it.

One module per verb: `look` (list), `retry`. Everything is read through the ledger's port: the archive
itself is asked by workers only.
"""

import click

from bedside.cli.base import Group

_HERE = "bedside.cli.archive"

COMMANDS = {
    "list": (f"{_HERE}.look:list_exports", "List results on their way into the archive."),
    "retry": (f"{_HERE}.retry:retry", "Send results again that the archive did not take."),
}


@click.group(
    cls=Group,
    table=COMMANDS,
    examples=["bedside archive list --state failed", "bedside archive retry 3f2a81c0"],
)
def archive() -> None:
    """List and send again what goes into the archive."""
