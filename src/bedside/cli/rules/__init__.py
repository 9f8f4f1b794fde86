"""``bedside rules``: which studies start what, tried out before it is written into bedside.toml.

Owns the words; what is asked is `bedside.operate`, which the portal's page of rules asks too.
"""

import click

from bedside.cli.base import Group

_HERE = "bedside.cli.rules"

COMMANDS = {
    "test": (f"{_HERE}.test:test", "Show which rules match a study, and why not."),
    "replay": (f"{_HERE}.replay:replay", "Show what changed rules mean for past studies."),
}


@click.group(
    cls=Group,
    table=COMMANDS,
    examples=["bedside rules test slice.dcm", "bedside rules replay --rules changed.toml --last 500"],
)
def rules() -> None:
    """Try rules on a study, and replay changed ones over past studies."""
