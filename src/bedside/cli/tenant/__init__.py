"""``bedside tenant``: whom a deployment serves.

One module per verb: `create`, `look` (list, show), `link` (upload-link), `delete`.
"""

import click

from bedside.cli.base import Group

_HERE = "bedside.cli.tenant"

COMMANDS = {
    "create": (f"{_HERE}.create:create", "Make a tenant with its drop-box, or record one that is there."),
    "list": (f"{_HERE}.look:list_tenants", "List tenants, closed ones too."),
    "show": (f"{_HERE}.look:show", "Show a tenant, and how much it has."),
    "upload-link": (f"{_HERE}.link:upload_link", "Sign a link to which one study can be sent."),
    "delete": (f"{_HERE}.delete:delete", "Archive or remove everything of a tenant."),
}


@click.group(
    cls=Group,
    table=COMMANDS,
    examples=["bedside tenant create hospital/radiology/ct", "bedside tenant list"],
)
def tenant() -> None:
    """Make, list, show and end tenants: hospitals, departments, practices, each with its own studies."""
