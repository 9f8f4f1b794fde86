"""``bedside rules test``: which rules match a study, clause by clause."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bedside.cli.base import Command, config_option, json_option, tenant_option
from bedside.cli.output import coloured, note, write_json
from bedside.cli.rules.shared import book_of
from bedside.errors import InputRejected, UsageError

if TYPE_CHECKING:
    from bedside.operate.tester import RuleVerdict
    from bedside.worker.rules import Attributes


@click.command(
    cls=Command,
    examples=[
        "bedside rules test ./study",
        "bedside rules test --set Modality=CT --set SliceThickness=2.5 --rules changed.toml",
    ],
)
@click.argument("study", metavar="[PATH|ARRIVAL]", required=False, default="")
@click.option(
    "--set", "values", multiple=True, metavar="KEYWORD=VALUE", help="An attribute; may be repeated."
)
@click.option(
    "--rules",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    show_default="those in force",
    help="Rules to try: a TOML file with [[rule]].",
)
@tenant_option
@config_option
@json_option
def test(
    study: str,
    values: tuple[str, ...],
    file: Path | None,
    tenant: str,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Show which rules match a study and why not, each comparison with the value it met.

    Takes a DICOM file or a folder of them, the id of a study that arrived, or attributes with --set.
    Nothing is written; values that say who a patient is decide and are not shown.
    """
    from bedside.adapters.local.clock import SystemClock
    from bedside.cli.base import load_settings
    from bedside.operate.tester import try_rules

    if bool(study) == bool(values):
        raise UsageError("name a study, or attributes with --set, not both", hint="bedside rules test --help")
    book = book_of(load_settings(config_path).settings, file)
    if values:
        attributes = _written(values)
    elif Path(study).exists():
        attributes = _of_path(Path(study))
    else:
        attributes = _arrived(study, tenant, config_path)
    found = try_rules(book, attributes, SystemClock().now())
    if as_json:
        write_json({"rules": [_verdict_json(verdict) for verdict in found]})
        return
    for verdict in found:
        _write(verdict)
    if not found:
        note("there is no rule, so nothing starts by itself: bedside init BUNDLE")


def _written(values: Sequence[str]) -> "Attributes":
    from bedside.operate.tester import written_attributes

    return written_attributes("\n".join(values))


def _of_path(path: Path) -> "Attributes":
    from bedside.dicom.attributes import series_attributes

    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    found = series_attributes(files)
    if not found:
        raise InputRejected(
            f"{len(files)} files: no DICOM instance of a series among them", hint="bedside rules test --help"
        )
    return found


def _arrived(arrival_id: str, tenant: str, config_path: Path | None) -> "Attributes":
    from bedside.cli.deployment import checked_tenant, whole
    from bedside.operate.past import study_attributes

    with whole(config_path) as deployment:
        name = checked_tenant(tenant, deployment.tenants.known)
        arrival = deployment.ledger.arrival(name, arrival_id)
        return study_attributes(deployment.blobs.tenant(name), arrival, deployment.scratch / "replay")


def _write(verdict: "RuleVerdict") -> None:
    rule = verdict.rule
    said = coloured("does not match", "yellow")
    if verdict.matched:
        said = coloured(f"starts {rule.pipeline}", "green")
    if verdict.overruled_by:
        said = f"matches, but {verdict.overruled_by} has a higher priority and starts {rule.pipeline}"
    click.echo(f"rule {rule.name}: {said}")
    if not verdict.conditions:
        click.echo("  it has no condition: it always matches")
    for condition in verdict.conditions:
        click.echo(f"  {condition.key}: {condition.text}")
        for series in condition.series:
            if len(condition.series) > 1:
                click.echo(f"    series {series.series_uid}")
            for clause in series.clauses:
                truth = coloured("true ", "green") if clause.matched else coloured("false", "red")
                met = f"it is {clause.found}" if clause.found else "the attribute is missing"
                click.echo(f"    {truth}  {clause.clause}: {met}")


def _verdict_json(verdict: "RuleVerdict") -> dict[str, object]:
    return {
        "rule": verdict.rule.name,
        "pipeline": verdict.rule.pipeline,
        "matched": verdict.matched,
        "reason": verdict.reason,
        "overruled_by": verdict.overruled_by,
        "conditions": [
            {
                "key": condition.key,
                "text": condition.text,
                "matched": condition.matched,
                "series": [
                    {
                        "series_uid": series.series_uid,
                        "matched": series.matched,
                        "clauses": [
                            {"clause": clause.clause, "matched": clause.matched, "found": clause.found}
                            for clause in series.clauses
                        ],
                    }
                    for series in condition.series
                ],
            }
            for condition in verdict.conditions
        ],
    }
