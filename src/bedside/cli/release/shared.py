"""What the commands about releases share: an open deployment, the stage that is meant, who speaks.

Refuses to guess a stage: where the configuration has several that run a release, one is named.
"""

import getpass
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from bedside.config import Settings
    from bedside.domain.pipeline import Release
    from bedside.domain.release import How, Promotion
    from bedside.wiring import Deployment
    from bedside.worker.promote import Place, Said

_Decorated = TypeVar("_Decorated", bound=Callable[..., object])


def place_options(command: _Decorated) -> _Decorated:
    """Add ``--pipeline`` and ``--stage``: which stage is meant, where there are several."""
    named = click.option("--pipeline", default="", show_default="the only one", help="Name of the pipeline.")
    stage = click.option("--stage", default="", show_default="the only one", help="Name of its stage.")
    return named(stage(command))


def reason_option(command: _Decorated) -> _Decorated:
    """Add ``--reason``: kept in the history."""
    text = "Why, for the history; no patient data."
    return click.option("--reason", default="", show_default=False, help=text)(command)


def chosen_place(settings: "Settings", pipeline: str, stage: str) -> "Place":
    """Return the stage that a person means. See `bedside.operate.trials.chosen_place`."""
    from bedside.operate import trials

    return trials.chosen_place(settings, pipeline, stage)


def speaker(reason: str) -> "Said":
    """Return who types, for the history."""
    from bedside.worker.promote import Said

    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without an entry, as in a container
        name = f"uid {os.getuid()}"
    return Said(by=name, reason=reason)


def named_release(deployment: "Deployment", text: str) -> "Release":
    """Return the release that a person means; a path or reference that is not registered yet is added.

    Raises:
        NotFound: There is none, and no such file.
        UsageError: Several are called so.
    """
    from bedside.cli.output import note
    from bedside.errors import NotFound
    from bedside.worker.naming import described

    try:
        return deployment.releases.resolve(text)
    except NotFound:
        if not (Path(text).exists() or "/" in text):
            raise
    found = deployment.releases.add(text)
    note(f"registered {described(found)}")
    return found


def uses(standing: "Sequence[Promotion]") -> Mapping[str, list[str]]:
    """Return what each release is used for now. See `bedside.operate.trials.uses`."""
    from bedside.operate import trials

    return trials.uses(standing)


def release_json(release: "Release", used: Sequence[str], names: Sequence[str]) -> dict[str, object]:
    """Return a release for ``--json``."""
    return {
        "digest": release.digest,
        "name": release.name,
        "version": release.version,
        "kind": release.kind.value,
        "source": release.source,
        "size_bytes": release.size_bytes,
        "added_at": release.added_at,
        "names": list(names),
        "used": list(used),
    }


def promotion_json(promotion: "Promotion") -> dict[str, object]:
    """Return a promotion for ``--json``."""
    return {
        "pipeline": promotion.pipeline,
        "stage": promotion.stage,
        "role": promotion.role.value,
        "release": promotion.digest,
        "kind": promotion.kind.value,
        "share": promotion.share,
        "how": promotion.how.value,
        "by": promotion.by,
        "reason": promotion.reason,
        "at": promotion.at,
    }


def how_words(how: "How") -> str:
    """Return what made a promotion, for a person."""
    return {"file": "by the file", "person": "by a person", "rollback": "rolled back"}[how.value]
