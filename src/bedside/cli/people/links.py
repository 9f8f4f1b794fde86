"""``bedside people invite`` and ``reset``: one-time links, printed for whoever hands them over."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import noted, whole
from bedside.cli.output import note, write_json
from bedside.cli.people.find import account_of
from bedside.cli.people.shapes import account_json, link_json, post_words
from bedside.domain.account import AccountState, LinkKind
from bedside.domain.person import PersonRole, Post
from bedside.domain.tenant import holds, name_of
from bedside.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from bedside.config.portal import PortalSettings


@click.command(
    cls=Command,
    examples=[
        "bedside people invite ana@hospital.example --role admin",
        "bedside people invite bo@hospital.example --role clinician --at hospital/radiology",
    ],
)
@click.argument("email", metavar="EMAIL")
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in PersonRole]),
    multiple=True,
    required=True,
    show_default=False,
    help="What they shall be; may be given several times.",
)
@click.option("--at", "node", default="", show_default="everywhere", help="Node of the tree of tenants.")
@config_option
@json_option
def invite(email: str, roles: tuple[str, ...], node: str, config_path: Path | None, as_json: bool) -> None:
    """Make a link with which somebody makes an account and gets roles; it works once, for 7 days.

    Somebody who has an account signs in and accepts it. The link is printed and sent to nobody: hand it over
    by a way that no one else reads.
    """
    name = name_of(node) if node.strip("/") else ""
    with whole(config_path) as deployment:
        if name and not any(holds(name, known) for known in deployment.tenants.known):
            raise UsageError(f"no tenant {node}, and none below it", hint="bedside tenant list")
        base = _address(deployment.settings.portal)
        posts = [Post(role=PersonRole(role), node=name) for role in dict.fromkeys(roles)]
        link, secret = deployment.people.invitations.invite(email, posts, by=None)
        noted(deployment, "invitation.made", tenant=name, object=link.id, detail={"roles": " ".join(roles)})
        address = f"{base}/join/{secret}"
    if as_json:
        write_json({**link_json(link), "link": address})
        return
    click.echo(address)
    note(f"works once, until {link.expires_at:%Y-%m-%d %H:%M} UTC: {post_words(link.posts)}")


@click.command(
    cls=Command,
    examples=[
        "bedside people reset ana@hospital.example",
        "bedside people reset ana@hospital.example --json",
    ],
)
@click.argument("who", metavar="EMAIL")
@config_option
@json_option
def reset(who: str, config_path: Path | None, as_json: bool) -> None:
    """Make a link with which somebody chooses another password; it works once, for an hour.

    Also lets the last administrator in again who forgot theirs. EMAIL may be an account's id.
    """
    from bedside.people.links import VALID

    with whole(config_path) as deployment:
        account = account_of(deployment.people, who)
        if account.state is not AccountState.ACTIVE:
            raise UsageError(
                f"account {account.id} is {account.state}", hint=f"bedside people enable {account.id}"
            )
        base = _address(deployment.settings.portal)
        noted(deployment, "account.recovery_made", object=account.id)
        secret = deployment.people.recovery.make(account)
        until = deployment.clock.now() + VALID[LinkKind.RECOVERY]
        address = f"{base}/recover/{secret}"
    if as_json:
        write_json({**account_json(account), "link": address, "expires_at": until})
        return
    click.echo(address)
    note(f"works once, until {until:%Y-%m-%d %H:%M} UTC")


def _address(portal: "PortalSettings") -> str:
    """Return where the portal is for browsers.

    Raises:
        ConfigError: There is none, so that a link would lead nowhere.
    """
    if not portal.url and not portal.listen:
        raise ConfigError(
            "portal.url and portal.listen are empty: a link would lead nowhere",
            hint="set portal.url to the portal's address, e.g. https://bedside.example",
        )
    return portal.address
