"""``bedside ci template``: the CloudFormation template of the one thing an administrator does."""

import click

from bedside.cli.base import Command


@click.command(
    cls=Command,
    examples=[
        "bedside ci template > administrator.yaml",
        "bedside ci template > administrator.yaml && aws cloudformation deploy --stack-name bedside-github "
        "--template-file administrator.yaml --capabilities CAPABILITY_NAMED_IAM "
        "--parameter-overrides Repository=OWNER@ID/NAME@ID",
    ],
)
def template() -> None:
    """Print the CloudFormation template that lets one GitHub repository deploy.

    It makes trust in GitHub's tokens, a role that only that repository gets, and the bucket of Terraform's
    state: launch it in the console of CloudFormation (Create stack, Upload a template file).
    """
    from bedside.deploy.workflows import ADMINISTRATOR

    click.echo(ADMINISTRATOR.read_text(encoding="utf-8"), nl=False)
