"""``bedside release shadow`` and ``canary``: a release on trial beside the current one."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
    speaker,
)
from bedside.errors import UsageError

if TYPE_CHECKING:
    from bedside.domain.release import Role


@click.command(
    cls=Command,
    examples=["bedside release shadow spleen:2.0", "bedside release shadow --stop --pipeline spleen"],
)
@click.argument("release", metavar="[RELEASE]", required=False, default="")
@click.option("--share", type=float, default=1.0, help="Of the studies, above 0 and at most 1.")
@click.option("--stop", is_flag=True, help="End the trial; what it found stays.")
@place_options
@reason_option
@config_option
@json_option
def shadow(
    release: str,
    share: float,
    stop: bool,
    pipeline: str,
    stage: str,
    reason: str,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Run a release beside the current one on every new study, and compare the two; deliver nothing of it.

    Its jobs wait behind all others, its results lie apart under shadows/, and bedside release compare
    shows Dice and volumes against what was delivered.
    """
    from bedside.domain.release import Role

    typed = _Typed(release=release, share=share, stop=stop, place=(pipeline, stage), reason=reason)
    words = "runs beside and is compared: bedside release compare"
    _begin_or_end(Role.SHADOW, typed, words, config_path, as_json=as_json)


@click.command(
    cls=Command,
    examples=["bedside release canary spleen:2.0 --share 0.1", "bedside release canary --stop"],
)
@click.argument("release", metavar="[RELEASE]", required=False, default="")
@click.option("--share", type=float, default=0.1, help="Of the studies, above 0 and at most 1.")
@click.option("--stop", is_flag=True, help="End the trial; every new study gets the current release.")
@place_options
@reason_option
@config_option
@json_option
def canary(
    release: str,
    share: float,
    stop: bool,
    pipeline: str,
    stage: str,
    reason: str,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Give a share of the new studies to a release instead of the current one, and deliver its results.

    Which studies is drawn by the study itself: all versions of a study get the same release, and a
    greater share keeps those of the smaller one.
    """
    from bedside.domain.release import Role

    typed = _Typed(release=release, share=share, stop=stop, place=(pipeline, stage), reason=reason)
    words = f"reads {share:.0%} of the new studies"
    _begin_or_end(Role.CANARY, typed, words, config_path, as_json=as_json)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Typed:
    """What a person typed about a trial."""

    release: str
    share: float
    stop: bool
    place: tuple[str, str]
    reason: str


def _begin_or_end(
    role: "Role", typed: _Typed, words: str, config_path: Path | None, *, as_json: bool
) -> None:
    from bedside.domain.release import checked_share
    from bedside.worker.naming import described
    from bedside.worker.promote import Promoter

    if bool(typed.release) == typed.stop:
        raise UsageError("name a release, or --stop, not both", hint="bedside release list")
    checked_share(typed.share)
    with whole(config_path) as deployment:
        place = chosen_place(deployment.settings, *typed.place)
        promoter = Promoter(ledger=deployment.ledger, clock=deployment.clock)
        if typed.stop:
            made = promoter.end_trial(place, role, speaker(typed.reason))
            said = f"{place}: the {role.value} ended" if made else f"{place}: there was no {role.value}"
        else:
            deployment.adopt(only_first=True)
            found = named_release(deployment, typed.release)
            made = promoter.begin_trial(place, role, found, typed.share, speaker(typed.reason))
            said = f"{place}: {described(found)} {words}"
        if made:
            action = f"release.{role.value}_{'ended' if typed.stop else 'begun'}"
            noted(deployment, action, object=made.digest, detail={"place": str(place)})
    if as_json:
        write_json({"promotion": promotion_json(made) if made else None})
    else:
        note(said)
