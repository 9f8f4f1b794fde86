"""``bedside release``: which model works for whom, since when, and how a new one compares.

One module per kind of question: `look` (list, show, history), `promote` (add, promote, rollback),
`trial` (shadow, canary), `compare`, `rerun`. Everything goes through the ledger, so that a command
typed anywhere is followed by every intake and worker of the deployment.
"""

import click

from bedside.cli.base import Group

_HERE = "bedside.cli.release"

COMMANDS = {
    "add": (f"{_HERE}.promote:add", "Register a bundle or a MAP, without promoting it."),
    "list": (f"{_HERE}.look:list_releases", "List releases and what each is used for."),
    "show": (f"{_HERE}.look:show", "Show one release: what it is and where it worked."),
    "promote": (f"{_HERE}.promote:promote", "Let every study from now on be read by a release."),
    "rollback": (f"{_HERE}.promote:rollback", "Go back to the release before."),
    "shadow": (f"{_HERE}.trial:shadow", "Run a release beside the current one, undelivered."),
    "canary": (f"{_HERE}.trial:canary", "Give a share of the studies to a release."),
    "compare": (f"{_HERE}.compare:compare", "Show how a shadow's results compare."),
    "rerun": (f"{_HERE}.rerun:rerun", "Run past studies under a release."),
    "verify": (f"{_HERE}.verify:verify", "Replay a MAP's golden case here, and check its signature."),
    "history": (f"{_HERE}.look:history", "Show who promoted what, when and why."),
}


@click.group(
    cls=Group,
    table=COMMANDS,
    examples=["bedside release add ./spleen-v2.zip", "bedside release promote spleen:2.0"],
)
def release() -> None:
    """List, promote, take back, try and compare releases of models."""
