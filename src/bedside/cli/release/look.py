"""``bedside release list``, ``show`` and ``history``."""

from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import whole
from bedside.cli.job.shapes import moment
from bedside.cli.output import coloured, note, write_json, write_table
from bedside.cli.release.shared import (
    how_words,
    place_options,
    promotion_json,
    release_json,
    uses,
)

MEGABYTE = 1_000_000


@click.command(
    "list", cls=Command, examples=["bedside release list", "bedside release list --json | jq .releases"]
)
@config_option
@json_option
def list_releases(config_path: Path | None, as_json: bool) -> None:
    """List releases, newest first, and what each is used for now."""
    from bedside.worker.naming import short

    with whole(config_path) as deployment:
        releases = deployment.ledger.releases()
        used = uses(deployment.ledger.standing())
        names = deployment.ledger.release_names()
    if as_json:
        write_json(
            {
                "releases": [
                    release_json(r, used.get(r.digest, ()), [n for n, d in names.items() if d == r.digest])
                    for r in releases
                ]
            }
        )
        return
    write_table(
        ("release", "kind", "name", "version", "MB", "added", "used"),
        [
            (
                short(r.digest),
                r.kind.value,
                r.name,
                r.version,
                r.size_bytes / MEGABYTE if r.size_bytes else None,
                moment(r.added_at),
                ", ".join(used.get(r.digest, ())),
            )
            for r in releases
        ],
    )
    if not releases:
        note("no releases; bedside serve registers those of bedside.toml, bedside release add any other")


@click.command(
    cls=Command, examples=["bedside release show spleen:2.0", "bedside release show 3f2a81c0 --json"]
)
@click.argument("release", metavar="RELEASE")
@config_option
@json_option
def show(release: str, config_path: Path | None, as_json: bool) -> None:
    """Show one release: what it is, what it is called, and where and when it worked."""
    with whole(config_path) as deployment:
        found = deployment.releases.resolve(release)
        used = uses(deployment.ledger.standing()).get(found.digest, [])
        names = [n for n, digest in deployment.ledger.release_names().items() if digest == found.digest]
        lines = [p for p in deployment.ledger.promotions() if p.digest == found.digest]
    if as_json:
        write_json(
            release_json(found, used, names) | {"promotions": [promotion_json(line) for line in lines]}
        )
        return
    facts: list[tuple[str, object]] = [
        ("release", found.digest),
        ("kind", found.kind.value),
        ("name", f"{found.name} {found.version}"),
        ("called", ", ".join(names)),
        ("source", found.source),
        ("added", moment(found.added_at)),
        ("used", ", ".join(used) or "not now"),
    ]
    for name, value in facts:
        if value != "":
            click.echo(f"{coloured(f'{name:<8}', 'cyan')} {value}")
    if lines:
        click.echo()
        write_table(
            ("time", "stage", "role", "how", "by", "reason"),
            [
                (
                    moment(p.at),
                    f"{p.pipeline}/{p.stage}",
                    p.role.value,
                    how_words(p.how),
                    p.by,
                    p.reason,
                )
                for p in lines
            ],
        )


@click.command(
    cls=Command, examples=["bedside release history", "bedside release history --pipeline spleen --json"]
)
@place_options
@config_option
@json_option
def history(pipeline: str, stage: str, config_path: Path | None, as_json: bool) -> None:
    """Show every promotion, rollback and trial, newest first: who, when and why."""
    from bedside.worker.naming import short

    with whole(config_path) as deployment:
        lines = deployment.ledger.promotions(pipeline=pipeline, stage=stage)
        known = {r.digest: r for r in deployment.ledger.releases()}
    if as_json:
        write_json({"promotions": [promotion_json(line) for line in lines]})
        return
    rows = []
    for line in lines:
        release = known.get(line.digest)
        what = f"{release.name} {release.version} {short(line.digest)}" if release else short(line.digest)
        rows.append(
            (
                moment(line.at),
                f"{line.pipeline}/{line.stage}",
                line.role.value,
                what or "ended",
                f"{line.share:.0%}" if line.share < 1 else "",
                how_words(line.how),
                line.by,
                line.reason,
            )
        )
    write_table(("time", "stage", "role", "release", "share", "how", "by", "reason"), rows)
    if not lines:
        note("nothing was promoted yet; bedside serve counts what bedside.toml names")
