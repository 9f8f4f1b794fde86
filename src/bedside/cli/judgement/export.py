"""``bedside judgement export``."""

import sys
from datetime import datetime
from pathlib import Path

import click

from bedside.cli.base import Command, config_option, tenant_option
from bedside.cli.deployment import checked_tenant, whole
from bedside.cli.judgement.wishes import wanted, wishes
from bedside.cli.output import note
from bedside.errors import UsageError


@click.command(
    cls=Command,
    examples=[
        "bedside judgement export > verdicts.csv",
        "bedside judgement export --format zip --verdict corrected -o labels.zip",
    ],
)
@wishes
@click.option(
    "--format",
    "kind",
    type=click.Choice(("csv", "jsonl", "zip")),
    default="csv",
    help="zip has the segmentations of accepted and corrected results, and the lines.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), show_default="standard output",
    help="File to write.",
)  # fmt: skip
@tenant_option
@config_option
def export(
    pipeline: str,
    release: str,
    verdicts: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    kind: str,
    output: Path | None,
    tenant: str,
    config_path: Path | None,
) -> None:
    """Write the verdict that counts of each result, as labels to train and measure with.

    Study Instance UIDs and comments are among it: keep the file where the studies may be.
    """
    from bedside.judging.export import labels_of, lines, table
    from bedside.judging.segmentations import Segmentations
    from bedside.viewing.zipped import Packed, zip_of

    if kind == "zip" and output is None and sys.stdout.isatty():
        raise UsageError(
            "a ZIP is not for a terminal", hint="bedside judgement export --format zip -o labels.zip"
        )
    where = wanted(pipeline, release, verdicts, since, until)
    with whole(config_path) as deployment:
        name = checked_tenant(tenant, deployment.tenants.known)
        ledger, store = deployment.ledger, deployment.blobs.tenant(name)
        found = deployment.records.judgements.standing(name, where)
        with click.open_file(str(output) if output else "-", "wb", atomic=output is not None) as stream:
            if kind == "zip":
                segmentations = Segmentations(ledger, store, deployment.scratch / "judging")
                entries = [
                    Packed(key=label.key, name=label.name, size_bytes=label.size_bytes)
                    for label in labels_of(found, segmentations, ledger)
                ]
                said = "".join(lines(found, ledger)).encode()
                pieces = zip_of(store, entries, at=deployment.clock.now(), beside={"judgements.jsonl": said})
            else:
                texts = table(found, ledger) if kind == "csv" else lines(found, ledger)
                pieces = (text.encode() for text in texts)
            for piece in pieces:
                stream.write(piece)
    note(f"{len(found)} results with a verdict{f' in {output}' if output else ''}")
