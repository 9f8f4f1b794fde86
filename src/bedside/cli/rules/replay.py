"""``bedside rules replay``: what changed rules mean for past studies."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import checked_tenant, whole
from bedside.cli.job.shapes import moment
from bedside.cli.output import ProgressLine, note, write_json, write_table
from bedside.cli.rules.shared import book_of
from bedside.cli.span import Span as Time
from bedside.errors import NotFound

if TYPE_CHECKING:
    from bedside.operate.replay import Line

#: Lines of the table; --csv and --json give all.
SHOWN = 50


@click.command(
    cls=Command,
    examples=[
        "bedside rules replay --rules changed.toml",
        "bedside rules replay --rules changed.toml --last 1000 --since 30d --csv difference.csv",
    ],
)
@click.option(
    "--rules",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The changed rules: a TOML file with all [[rule]] tables.",
)
@click.option("--last", type=int, default=100, help="How many studies at most, the newest first.")
@click.option(
    "--since", type=Time(), default=None, show_default="any age", help="Only of this time, e.g. 30d."
)
@click.option("--tenant", default="", show_default="every one", help="Only studies of this tenant.")
@click.option(
    "--csv",
    "table",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    default=None,
    help="Write all lines into this file.",
)
@config_option
@json_option
def replay(
    file: Path,
    last: int,
    since: timedelta | None,
    tenant: str,
    table: Path | None,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Show which past studies changed rules would newly run, and which no longer.

    Both the rules in force and the changed ones judge each study, read again from the store. Nothing
    but that is done: no job is made and no rule is changed.
    """
    from bedside.operate.replay import Change, Replayer, Span, as_csv, totals

    span = Span(limit=last, days=since.total_seconds() / 86_400 if since else None)
    with whole(config_path) as deployment:
        scope = frozenset({checked_tenant(tenant, deployment.tenants.known)}) if tenant else None
        before, after = book_of(deployment.settings, None), book_of(deployment.settings, file)
        replayer = Replayer(
            ledger=deployment.ledger,
            figures=deployment.records.figures,
            blobs=deployment.blobs,
            clock=deployment.clock,
            scratch=deployment.scratch / "replay",
        )
        studies = replayer.studies(scope, span)
        if not studies:
            raise NotFound("no study arrived in that time", hint="bedside submit PATH")
        with ProgressLine() as progress:

            def tell(done: int) -> None:
                progress.update(f"reading {len(studies)} studies", done / len(studies))

            lines = list(replayer.compare(studies, before, after, on=tell))
    if table is not None:
        table.write_text(as_csv(lines), encoding="utf-8")
    counts = totals(lines)
    if as_json:
        write_json({"totals": counts, "lines": [_line_json(line) for line in lines]})
        return
    telling = [line for line in lines if line.change in (Change.NEWLY, Change.NO_LONGER, Change.UNREAD)]
    if telling:
        write_table(
            ("change", "pipeline", "tenant", "arrival", "received", "reason"),
            [_cells(line) for line in telling[:SHOWN]],
        )
    if len(telling) > SHOWN:
        note(f"and {len(telling) - SHOWN} more: --csv FILE, or --json")
    said = ", ".join(f"{count} {change.value.replace('_', ' ')}" for change, count in counts.items() if count)
    note(f"{len(studies)} studies: {said}")


def _cells(line: "Line") -> tuple[object, ...]:
    arrival = line.arrival
    change = line.change.value.replace("_", " ")
    return (change, line.pipeline, arrival.tenant, arrival.id, moment(arrival.received_at), line.reason)


def _line_json(line: "Line") -> dict[str, object]:
    arrival = line.arrival
    return {
        "tenant": arrival.tenant,
        "arrival_id": arrival.id,
        "version": arrival.version,
        "received_at": arrival.received_at,
        "pipeline": line.pipeline,
        "change": line.change.value,
        "reason": line.reason,
    }
