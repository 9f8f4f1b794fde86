"""``bedside tenant upload-link``."""

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import whole
from bedside.cli.output import note, write_json
from bedside.cli.span import Span
from bedside.domain.tenant import name_of, path_of
from bedside.errors import ConfigError, NotSignedIn, UsageError

if TYPE_CHECKING:
    from bedside.domain.person import Person
    from bedside.wiring import Deployment

#: Holds the token of who asks, where no file does; on the command line everybody on the machine would see it.
TOKEN = "BEDSIDE_TOKEN"  # noqa: S105 - the name of a variable
#: S3 signs for no longer (AWS, "Download and upload objects with presigned URLs").
LONGEST = timedelta(days=7)


@click.command(
    "upload-link",
    cls=Command,
    examples=[
        'curl --upload-file study.zip "$(bedside tenant upload-link ward-3 --for study.zip)"',
        "bedside tenant upload-link hospital/radiology/ct --token-file token --expires 2h",
    ],
)
@click.argument("path", metavar="TENANT")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    show_default=TOKEN,
    help="File with the token of who asks, where people sign in.",
)
@click.option(
    "--for",
    "archive",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The ZIP that will be sent: the link takes just so many bytes.",
)
@click.option("--size-bytes", type=click.IntRange(min=1), help="The same, where the ZIP is not here.")
@click.option(
    "--expires", type=Span(), default="1h", show_default=True, help="How long it works, e.g. 30m, 2h, 7d."
)
@config_option
@json_option
def upload_link(
    path: str,
    token_file: Path | None,
    archive: Path | None,
    size_bytes: int | None,
    expires: timedelta,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Sign a link to which one ZIP of a study can be sent without credentials, e.g. with curl.

    Where [identity] names an issuer, a token of it is needed, and a right to send in this tenant or above.
    """
    tenant = name_of(path)
    if not timedelta(0) < expires <= LONGEST:
        raise UsageError(
            f"--expires {expires}: S3 signs for up to 7 days", hint="bedside tenant upload-link --help"
        )
    if archive is not None:
        if size_bytes is not None:
            raise UsageError(
                "--for and --size-bytes: both say how much is sent", hint="bedside tenant upload-link --help"
            )
        size_bytes = archive.stat().st_size
    with whole(config_path) as deployment:
        from bedside.tenants.upload import sign_upload

        link = sign_upload(
            tenant,
            _person(deployment, token_file),
            served=deployment.tenants,
            blobs=deployment.blobs,
            clock=deployment.clock,
            expires_s=int(expires.total_seconds()),
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
