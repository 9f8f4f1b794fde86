"""``bedside link``: an address to which somebody without credentials can send one study.

The key in the drop-box is drawn here: a name that the sender chose could be a patient's, and an address
stands in histories and logs.
"""

import secrets
from datetime import timedelta
from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option, tenant_option
from bedside.cli.deployment import opened
from bedside.cli.output import note, write_json
from bedside.cli.span import Span
from bedside.errors import UsageError
from bedside.ports.store import Signs

#: S3 signs for no longer (AWS, "Download and upload objects with presigned URLs").
LONGEST = timedelta(days=7)


@click.command(
    cls=Command,
    examples=[
        "bedside link --tenant ward-3 --expires 2h",
        'curl --upload-file study.zip "$(bedside link --for study.zip)"',
    ],
)
@click.option(
    "--expires", type=Span(), default="1h", show_default=True, help="How long it works, e.g. 30m, 2h, 7d."
)
@click.option(
    "--for",
    "archive",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The ZIP that will be sent: the address takes just so many bytes.",
)
@tenant_option
@config_option
@json_option
def link(
    expires: timedelta, archive: Path | None, tenant: str, config_path: Path | None, as_json: bool
) -> None:
    """Sign an address to which one ZIP of a study can be sent by PUT, without credentials.

    Only for a tenant that is served here, and a store that is a bucket. The address ends with the
    credentials that signed it, if those end before.
    """
    if not timedelta(0) < expires <= LONGEST:
        raise UsageError(f"--expires {expires}: S3 signs for up to 7 days", hint="bedside link --help")
    with opened(config_path, tenant) as deployment:
        deployment.must_be_served()
        if not isinstance(deployment.blobs, Signs):
            raise UsageError(
                "the store is a folder, and an address can be signed for a bucket only",
                hint="bedside submit study.zip",
            )
        key = f"input/sent-{secrets.token_hex(8)}.zip"
        size_bytes = archive.stat().st_size if archive else None
        url = deployment.blobs.presign_put(key, int(expires.total_seconds()), size_bytes)
        ends = deployment.clock.now() + expires
        name = deployment.tenant
    if as_json:
        write_json({"url": url, "method": "PUT", "tenant": name, "key": key, "expires_at": ends})
        return
    click.echo(url)
    note(f"one ZIP for tenant {name}, until {ends:%Y-%m-%d %H:%M} UTC; send it with curl --upload-file")
