"""``bedside deploy policy``."""

import click

from bedside.cli.base import Command
from bedside.cli.output import write_json


@click.command(
    cls=Command,
    examples=[
        "bedside deploy policy --deny s3:CreateBucket",
        "bedside deploy policy --allow s3:GetObject --resource 'arn:aws:s3:::my-bucket/*' > read.json",
    ],
)
@click.option("--allow", multiple=True, metavar="ACTION", help="Action to allow; may be repeated.")
@click.option("--deny", multiple=True, metavar="ACTION", help="Action to forbid; may be repeated.")
@click.option(
    "--resource",
    "resources",
    multiple=True,
    metavar="ARN",
    show_default="every resource",
    help="What it is about; may be repeated.",
)
def policy(allow: tuple[str, ...], deny: tuple[str, ...], resources: tuple[str, ...]) -> None:
    """Write an IAM policy, checked: as JSON on standard output, to be attached by an administrator."""
    from bedside.deploy.policy import policy as written

    write_json(written(allow=allow, deny=deny, resources=resources))
