"""``bedside release compare``: what a shadow found beside what was delivered."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option, tenant_option
from bedside.cli.deployment import opened
from bedside.cli.output import note, write_json, write_table
from bedside.errors import NotFound

if TYPE_CHECKING:
    from bedside.domain.release import Comparison
    from bedside.operate.trials import Row

#: Enough of a job's id to type.
ID_SHOWN = 12


@click.command(
    cls=Command, examples=["bedside release compare", "bedside release compare spleen:2.0 --worst 10 --json"]
)
@click.argument("release", metavar="[RELEASE]", required=False, default="")
@click.option("--pipeline", default="", show_default="every", help="Only this pipeline.")
@click.option("--worst", default=5, type=click.IntRange(0), help="How many of the worst studies to list.")
@tenant_option
@config_option
@json_option
def compare(
    release: str, pipeline: str, worst: int, tenant: str, config_path: Path | None, as_json: bool
) -> None:
    """Show how a shadow's results compare with the delivered ones: count, mean, worst, and where.

    RELEASE is the shadow's; without it, the one that was compared last.
    """
    from bedside.operate.trials import label_rows, number_rows
    from bedside.worker.naming import described, find_release

    with opened(config_path, tenant) as deployment:
        ledger = deployment.ledger
        releases = ledger.releases()
        if release:
            digest = find_release(release, releases, ledger.release_names()).digest
        else:
            newest = ledger.comparisons(deployment.tenant, pipeline=pipeline)
            if not newest:
                raise NotFound("nothing was compared yet", hint="bedside release shadow RELEASE")
            digest = newest[0].release
        found = ledger.comparisons(deployment.tenant, pipeline=pipeline, release=digest)
    good = [c for c in found if not c.problem]
    labels, numbers = label_rows(good), number_rows(good)
    ranked = sorted(good, key=_badness)[:worst]
    if as_json:
        write_json(
            {
                "release": digest,
                "against": sorted({c.against for c in found}),
                "compared": len(good),
                "labels": [_row_json(row) for row in labels],
                "numbers": [_row_json(row) for row in numbers],
                "worst": [comparison_json(c) for c in ranked],
                "not_compared": [comparison_json(c) for c in found if c.problem],
            }
        )
        return
    known = {r.digest: described(r) for r in releases}
    against = ", ".join(known.get(d, d) for d in dict.fromkeys(c.against for c in found)) or "nothing yet"
    click.echo(f"{known.get(digest, digest)} against {against}: {len(good)} studies")
    _write_tables(labels, numbers, ranked)
    bad = [c for c in found if c.problem]
    for comparison in bad[:worst]:
        note(f"job {comparison.shadow_job[:ID_SHOWN]} is not compared: {comparison.problem}")
    if len(bad) > worst:
        note(f"{len(bad)} in all are not compared; --json lists them")


def comparison_json(comparison: "Comparison") -> dict[str, object]:
    """Return one comparison for ``--json``."""
    return {
        "shadow_job": comparison.shadow_job,
        "current_job": comparison.current_job,
        "arrival_id": comparison.arrival_id,
        "pipeline": comparison.pipeline,
        "stage": comparison.stage,
        "against": comparison.against,
        "least_dice": comparison.least_dice,
        "labels": [
            {
                "label": label.label,
                "dice": label.dice,
                "volume_ml": label.volume_ml,
                "against_volume_ml": label.against_volume_ml,
            }
            for label in comparison.labels
        ],
        "numbers": {name: {"shadow": a, "delivered": b} for name, (a, b) in comparison.numbers.items()},
        "problem": comparison.problem,
        "compared_at": comparison.compared_at,
    }


def _badness(comparison: "Comparison") -> tuple[float, float]:
    """Return what sorts the worst study first: the least Dice, then the greatest difference."""
    dice = comparison.least_dice
    differences = [abs(a - b) for a, b in comparison.numbers.values()]
    return (1.0 if dice is None else dice, -max(differences, default=0.0))


def _row_json(row: "Row") -> dict[str, object]:
    return {
        "name": row.name,
        "studies": row.count,
        "mean": row.mean,
        "worst": row.worst,
        "median_volume_change_ml": row.median_ml,
        "worst_job": row.worst_job,
    }


def _write_tables(labels: "list[Row]", numbers: "list[Row]", ranked: "list[Comparison]") -> None:
    if labels:
        click.echo()
        write_table(
            ("label", "studies", "mean Dice", "worst", "volume change mL", "worst job"),
            [
                (r.name, r.count, f"{r.mean:.4f}", f"{r.worst:.4f}", r.median_ml, r.worst_job[:ID_SHOWN])
                for r in labels
            ],
        )
    if numbers:
        click.echo()
        write_table(
            ("output", "studies", "mean difference", "greatest", "its job"),
            [(r.name, r.count, f"{r.mean:+.4f}", f"{r.worst:.4f}", r.worst_job[:ID_SHOWN]) for r in numbers],
        )
    if ranked:
        click.echo()
        write_table(
            ("worst studies", "least Dice", "delivered job", "arrival"),
            [
                (
                    c.shadow_job[:ID_SHOWN],
                    None if c.least_dice is None else f"{c.least_dice:.4f}",
                    c.current_job[:ID_SHOWN],
                    c.arrival_id,
                )
                for c in ranked
            ],
        )
