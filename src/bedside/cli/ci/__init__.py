"""``bedside ci``: packaging and deploying from GitHub, without a key that lives there.

One module per verb: `init` writes the workflows, `template` prints what an administrator launches once.
"""

import click

from bedside.cli.base import Group

_HERE = "bedside.cli.ci"

COMMANDS = {
    "init": (f"{_HERE}.init:init", "Write an action and workflows into this repository."),
    "template": (f"{_HERE}.template:template", "Print what an administrator launches once on AWS."),
}


@click.group(
    cls=Group,
    table=COMMANDS,
    examples=["bedside ci init --dry-run", "bedside ci template > administrator.yaml"],
)
def ci() -> None:
    """Package and deploy from GitHub, without long-lived keys."""
