"""``bedside tenant upload-link``."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import whole
from bedside.cli.output import note, write_json
from bedside.domain.tenant import name_of, path_of
from bedside.errors import ConfigError, NotSignedIn, UsageError

if TYPE_CHECKING:
    from bedside.domain.person import Person
    from bedside.wiring import Deployment

#: Holds the token of who asks, where no file does; on the command line everybody on the machine would see it.
TOKEN = "BEDSIDE_TOKEN"  # noqa: S105 - the name of a variable
_LONGEST_S = 7 * 24 * 3600


@click.command(
    "upload-link",
    cls=Command,
    examples=[
        "bedside tenant upload-link ward-3 --expires-s 600",
        "bedside tenant upload-link hospital/radiology/ct --token-file token --size-bytes 73400320",
    ],
)
@click.argument("path", metavar="TENANT")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    show_default=TOKEN,
    help="File with the token of who asks, where people sign in.",
)
@click.option("--size-bytes", type=click.IntRange(min=1), help="What must be sent exactly.")
@click.option(
    "--expires-s", default=3600, type=click.IntRange(1, _LONGEST_S), help="How long it can be used."
)
@config_option
@json_option
def upload_link(
    path: str,
    token_file: Path | None,
    size_bytes: int | None,
    expires_s: int,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Sign a link to which one ZIP of a study can be sent without credentials, e.g. with curl.

    Where [identity] names an issuer, a token of it is needed, and a right to send in this tenant or above.
    """
    tenant = name_of(path)
    with whole(config_path) as deployment:
        from bedside.tenants.upload import sign_upload

        link = sign_upload(
            tenant,
            _person(deployment, token_file),
            served=deployment.tenants,
            blobs=deployment.blobs,
            clock=deployment.clock,
            expires_s=expires_s,
            size_bytes=size_bytes,
        )
    if as_json:
        write_json(
            {"tenant": path_of(tenant), "url": link.url, "key": link.key, "expires_at": link.expires_at}
        )
        return
    click.echo(link.url)
    note(f"until {link.expires_at:%Y-%m-%d %H:%M:%S} UTC: curl --upload-file STUDY.zip 'URL'")


def _person(deployment: "Deployment", token_file: Path | None) -> "Person | None":
    """Return who asks, or None where nobody signs in."""
    from bedside.wiring.identity import open_identity

    identity = open_identity(deployment.settings, deployment.clock)
    if identity is None:
        if token_file is not None:
            raise ConfigError(
                "--token-file: identity.issuer is empty, so that nobody could check a token",
                hint="bedside config show",
            )
        return None
    token = _read(token_file) if token_file else os.environ.get(TOKEN, "")
    if not token:
        raise NotSignedIn(
            "people sign in here, and there is no token", hint=f"name one with --token-file, or in {TOKEN}"
        )
    return identity.verify(token)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--token-file {path}: cannot be read ({type(exc).__name__})") from exc
