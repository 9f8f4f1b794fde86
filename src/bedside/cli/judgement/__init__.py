"""``bedside judgement``: what reviewers said of results.

One module per question: `look` (list, quality), `export`. Judging itself is done by people who signed in,
in the portal or by its API, since a judgement says whose it is.
"""

import click

from bedside.cli.base import Group

_HERE = "bedside.cli.judgement"

COMMANDS = {
    "list": (f"{_HERE}.look:list_judgements", "List what reviewers said, newest first."),
    "quality": (f"{_HERE}.look:show_quality", "Show what was accepted, corrected and rejected per release."),
    "export": (f"{_HERE}.export:export", "Write verdicts as a table or lines, or the label maps as a ZIP."),
}


@click.group(
    cls=Group,
    table=COMMANDS,
    examples=["bedside judgement quality", "bedside judgement export --format zip -o labels.zip"],
)
def judgement() -> None:
    """Show and export what reviewers said of results."""
