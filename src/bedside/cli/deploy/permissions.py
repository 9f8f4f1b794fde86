"""``bedside deploy permissions``."""

import json
from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option, load_settings
from bedside.cli.output import note, write_json, write_table


@click.command(
    cls=Command,
    examples=[
        "bedside deploy permissions --account 123456789012 -o policies",
        "bedside deploy permissions --json | jq .storage",
        "bedside deploy permissions --with actual -o policies",
    ],
)
@click.option("--account", default="*", show_default="any", help="Number of the account.")
@click.option(
    "--with",
    "asked",
    multiple=True,
    type=click.Choice(["actual", "image-sets"]),
    help="Grant also what reads patients' data: actual is reading each result.json, for deploy cost --actual;"
    " image-sets is finding and deleting a tenant's, for tenant delete. May be repeated.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write the policies to, each short enough for IAM.",
)
@config_option
@json_option
def permissions(
    account: str, asked: tuple[str, ...], output: Path | None, config_path: Path | None, as_json: bool
) -> None:
    """Show the permissions that deploying this configuration needs, part by part, and write them as policies.

    They are read from the Terraform modules, and need no credentials: they are for the administrator
    who gives them.
    """
    from bedside.deploy.grants import Where, packed
    from bedside.deploy.grants import permissions as needed
    from bedside.deploy.policy import document

    settings = load_settings(config_path).settings.deploy
    parts = needed(
        settings, Where(account=account, region=settings.region or "*"), asked=dict.fromkeys(asked)
    )
    if as_json:
        write_json({part: document(statements) for part, statements in parts.items()})
    else:
        rows = [
            (part, action.partition(":")[0], action.partition(":")[2], " ".join(_listed(one["Resource"])))
            for part, statements in parts.items()
            for one in statements
            for action in _listed(one["Action"])
        ]
        write_table(("part", "service", "action", "on"), rows)
    if output is None:
        return
    output.mkdir(parents=True, exist_ok=True)
    for number, policy in enumerate(packed(parts), start=1):
        path = output / f"bedside-deploy-{number}.json"
        path.write_text(json.dumps(policy, indent=2) + "\n", encoding="utf-8")
        note(f"aws iam create-policy --policy-name {path.stem} --policy-document file://{path}")


def _listed(value: object) -> list[str]:
    assert isinstance(value, list)
    return value
