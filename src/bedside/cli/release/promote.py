"""``bedside release add``, ``promote`` and ``rollback``."""

from pathlib import Path

import click

from bedside.cli.base import Command, config_option, json_option
from bedside.cli.deployment import noted, whole
from bedside.cli.output import note, write_json
from bedside.cli.release.shared import (
    chosen_place,
    named_release,
    place_options,
    promotion_json,
    reason_option,
    release_json,
    speaker,
)


@click.command(
    cls=Command,
    examples=["bedside release add ./spleen-v2.zip", "bedside release add registry.example/spleen:2.0"],
)
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True)
@config_option
@json_option
def add(sources: tuple[str, ...], config_path: Path | None, as_json: bool) -> None:
    """Register bundles or MAPs, so that they can be promoted; nothing runs them yet.

    SOURCE is a bundle's folder or archive, an OCI layout folder, an archive of one, or a registry's
    reference. What is kept is the digest; a tag is looked up now and remembered as a name.
    """
    from bedside.worker.naming import short

    with whole(config_path) as deployment:
        added = [deployment.releases.add(source) for source in sources]
        names = deployment.ledger.release_names()
    if as_json:
        write_json(
            {"releases": [release_json(r, (), [n for n, d in names.items() if d == r.digest]) for r in added]}
        )
        return
    for release in added:
        click.echo(release.digest)
        note(f"{release.name} {release.version}, a {release.kind.value}")
        note(f"bedside release promote {short(release.digest)} lets it read every new study")


@click.command(
    cls=Command,
    examples=[
        "bedside release promote spleen:2.0",
        "bedside release promote 3f2a81c0 --pipeline spleen --reason 'thin slices'",
    ],
)
@click.argument("release", metavar="RELEASE")
@place_options
@reason_option
@config_option
@json_option
def promote(
    release: str, pipeline: str, stage: str, reason: str, config_path: Path | None, as_json: bool
) -> None:
    """Let every study that arrives from now on be read by a release; nothing is restarted.

    RELEASE is a digest or its beginning, a name as bedside release list shows it, or something to
    add first. Jobs that are queued keep the release they name. Running workers bring the new release
    beside the old one and switch between two jobs.
    """
    from bedside.worker.naming import described
    from bedside.worker.promote import Promoter

    with whole(config_path) as deployment:
        place = chosen_place(deployment.settings, pipeline, stage)
        deployment.adopt(only_first=True)
        found = named_release(deployment, release)
        made = Promoter(ledger=deployment.ledger, clock=deployment.clock).promote(
            place, found, speaker(reason)
        )
        if made:
            noted(deployment, "release.promoted", object=made.digest, detail={"place": str(place)})
            deployment.observer.promoted(made)
    if as_json:
        write_json({"promotion": promotion_json(made) if made else None, "release": found.digest})
    elif made:
        note(
            f"{place}: every new study is read by {described(found)}; bedside release rollback takes it back"
        )
    else:
        note(f"{place}: {described(found)} is the current release already")


@click.command(
    cls=Command,
    examples=[
        "bedside release rollback",
        "bedside release rollback --pipeline spleen --reason 'misses small spleens'",
    ],
)
@place_options
@reason_option
@config_option
@json_option
def rollback(pipeline: str, stage: str, reason: str, config_path: Path | None, as_json: bool) -> None:
    """Promote the release that was current before; once more, the one before that."""
    from bedside.worker.naming import described
    from bedside.worker.promote import Promoter

    with whole(config_path) as deployment:
        place = chosen_place(deployment.settings, pipeline, stage)
        made = Promoter(ledger=deployment.ledger, clock=deployment.clock).roll_back(place, speaker(reason))
        noted(deployment, "release.rolled_back", object=made.digest, detail={"place": str(place)})
        deployment.observer.promoted(made)
        found = deployment.releases.find(made.digest)
    if as_json:
        write_json({"promotion": promotion_json(made), "release": found.digest})
    else:
        note(f"{place}: every new study is read by {described(found)} again")
