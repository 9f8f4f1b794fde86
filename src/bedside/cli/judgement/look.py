"""``bedside judgement list`` and ``quality``."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option, tenant_option
from bedside.cli.deployment import checked_tenant, whole
from bedside.cli.judgement.wishes import wanted, wishes
from bedside.cli.output import note, write_json, write_table
from bedside.domain.judgement import quality


@click.command(
    "list",
    cls=Command,
    examples=["bedside judgement list", "bedside judgement list --verdict rejected --since 7d --json"],
)
@wishes
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, help="Most to list.")
@tenant_option
@config_option
@json_option
def list_judgements(
    pipeline: str,
    release: str,
    verdicts: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    limit: int,
    tenant: str,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """List what reviewers said, newest first.

    Comments are left out of the table, since they may hold a patient's name; --json has them.
    """
    where = wanted(pipeline, release, verdicts, since, until)
    with whole(config_path) as deployment:
        name = checked_tenant(tenant, deployment.tenants.known)
        found = deployment.records.judgements.find(name, where, limit=limit)
    if as_json:
        write_json({"judgements": [asdict(each) for each in found]})
        return
    if not found:
        note("nothing was judged\nhint: results are judged on their pages, bedside serve says where")
        return
    write_table(
        ("judged", "job", "pipeline", "verdict", "reason", "reviewer"),
        [
            (
                each.judged_at.strftime("%Y-%m-%d %H:%M"),
                each.job_id[:12],
                each.pipeline,
                each.verdict.value,
                each.reason.value if each.reason else "",
                each.reviewer,
            )
            for each in found
        ],
    )


@click.command(
    "quality",
    cls=Command,
    examples=["bedside judgement quality", "bedside judgement quality --pipeline spleen --since 30d --json"],
)
@wishes
@tenant_option
@config_option
@json_option
def show_quality(
    pipeline: str,
    release: str,
    verdicts: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    tenant: str,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Show what reviewers accepted, corrected and rejected of each release's results.

    Of each result the newest verdict counts. Dice is the mean between what the model found and what a
    reviewer left, over all corrected labels.
    """
    where = wanted(pipeline, release, verdicts, since, until)
    with whole(config_path) as deployment:
        name = checked_tenant(tenant, deployment.tenants.known)
        found = quality(deployment.records.judgements.standing(name, where))
    if as_json:
        write_json(
            {
                "releases": [
                    asdict(each) | {"judged": each.judged, "acceptance": round(each.acceptance, 6)}
                    for each in found
                ]
            }
        )
        return
    if not found:
        note("nothing was judged\nhint: results are judged on their pages, bedside serve says where")
        return
    write_table(
        ("pipeline", "release", "judged", "accepted", "corrected", "rejected", "accepted %", "Dice"),
        [
            (
                each.pipeline,
                each.release[:19],
                each.judged,
                each.accepted,
                each.corrected,
                each.rejected,
                f"{each.acceptance * 100:.0f}",
                ", ".join(f"{label.label} {label.dice:.3f}" for label in each.labels),
            )
            for each in found
        ],
    )
