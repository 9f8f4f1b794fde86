"""``bedside deploy``: the same system on AWS, from nothing and back to nothing.

One module per verb. Everything is asked of AWS and shown before anything is made or destroyed.
"""

import click

from bedside.cli.base import Group

_HERE = "bedside.cli.deploy"

COMMANDS = {
    "plan": (f"{_HERE}.plan:plan", "Check the account and show what an apply would do."),
    "apply": (f"{_HERE}.apply:apply", "Make or change the deployment."),
    "cost": (f"{_HERE}.cost:cost", "Estimate what it costs, or sum up what studies took."),
    "verify": (f"{_HERE}.verify:verify", "Send a phantom study through it and wait for its result."),
    "status": (f"{_HERE}.status:status", "Show queues, machines and outputs."),
    "dead": (f"{_HERE}.dead:dead", "Show what the queues gave up on, and send it back."),
    "run": (f"{_HERE}.run:run", "Run a command that asks the ledger, on a machine of the deployment."),
    "logs": (f"{_HERE}.logs:logs", "Show what machines and the waker wrote."),
    "destroy": (f"{_HERE}.destroy:destroy", "Remove everything, and prove that nothing is left."),
    "forgotten": (f"{_HERE}.forgotten:forgotten", "Find what was left on, in every region."),
    "permissions": (f"{_HERE}.permissions:permissions", "Show the permissions that deploying needs."),
    "policy": (f"{_HERE}.policy:policy", "Write an IAM policy of allowed and denied actions."),
}


@click.group(
    cls=Group,
    table=COMMANDS,
    examples=["bedside deploy plan", "bedside deploy apply", "bedside deploy destroy --dry-run"],
)
def deploy() -> None:
    """Put bedside on AWS, look after it there, and remove it without a trace."""
