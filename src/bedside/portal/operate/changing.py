"""What an engineer changes: which release works for whom, dead jobs sent again; noted before it is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bedside.domain.job import Job, JobState
from bedside.domain.person import Right
from bedside.domain.pipeline import Release
from bedside.domain.release import How, Promotion, Role, checked_share
from bedside.domain.tenant import name_of
from bedside.errors import UsageError
from bedside.operate.dead import MOST, Reason, Redriven, redrive
from bedside.operate.trials import chosen_place
from bedside.portal.access.caller import Caller
from bedside.portal.access.trail import note
from bedside.portal.here import Here
from bedside.portal.operate.parts import scope_of
from bedside.worker.promote import Place, Promoter, Said

#: Reasons are a line or two.
MAX_REASON = 500


class Act(StrEnum):
    """What is done to a stage."""

    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    CANARY = "canary"
    SHADOW = "shadow"
    END_CANARY = "end_canary"
    END_SHADOW = "end_shadow"


_TRIALS = {Act.CANARY: Role.CANARY, Act.SHADOW: Role.SHADOW}
_ENDINGS = {Act.END_CANARY: Role.CANARY, Act.END_SHADOW: Role.SHADOW}
#: What the trail calls it.
_DEEDS = {
    Act.PROMOTE: "release.promoted",
    Act.ROLL_BACK: "release.rolled_back",
    Act.CANARY: "release.canary_begun",
    Act.SHADOW: "release.shadow_begun",
    Act.END_CANARY: "release.canary_ended",
    Act.END_SHADOW: "release.shadow_ended",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants done to a stage.

    Attributes:
        act: What.
        pipeline: Name of the pipeline; empty where there is one stage only.
        stage: Name of its stage.
        release: Digest, its beginning, or a name; empty for what needs none.
        share: Of the studies, for a trial.
        reason: Why, for the history.
    """

    act: Act
    pipeline: str = ""
    stage: str = ""
    release: str = ""
    share: float = 1.0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A wish that can be fulfilled: the stage, and the release that will work there."""

    wish: Wish
    place: Place
    release: Release | None


def check(here: Here, wish: Wish) -> Checked:
    """Return what a wish means.

    Raises:
        NotFound: There is no such release.
        UsageError: It cannot be meant: no such stage, several releases, a share that is none.
    """
    if len(wish.reason) > MAX_REASON:
        raise UsageError(f"reason of {len(wish.reason)} characters, at most {MAX_REASON}")
    deployment = here.deployment
    place = chosen_place(deployment.settings, wish.pipeline, wish.stage)
    if wish.act is Act.ROLL_BACK:
        before = _promoter(here).before(place)
        return Checked(wish=wish, place=place, release=deployment.releases.resolve(before.digest))
    if wish.act in _ENDINGS:
        role = _ENDINGS[wish.act]
        if role not in _promoter(here).standing(place):
            raise UsageError(f"{place}: there is no {role.value}")
        return Checked(wish=wish, place=place, release=None)
    if not wish.release:
        raise UsageError("no release is named")
    if wish.act in _TRIALS:
        checked_share(wish.share)
    return Checked(wish=wish, place=place, release=deployment.releases.resolve(wish.release))


def change(here: Here, caller: Caller, checked: Checked) -> Promotion | None:
    """Do what was checked; return the line of the list of promotions, or None where nothing changed."""
    wish, place, release = checked.wish, checked.place, checked.release
    _adopted(here, place)
    note(
        here,
        caller,
        _DEEDS[wish.act],
        object=release.digest if release else "",
        detail={"place": str(place), "share": f"{wish.share:g}", "reason": wish.reason},
    )
    promoter, said = _promoter(here), Said(by=caller.person.subject, reason=wish.reason)
    made: Promotion | None
    if wish.act is Act.ROLL_BACK:
        made = promoter.roll_back(place, said)
    elif wish.act in _ENDINGS:
        made = promoter.end_trial(place, _ENDINGS[wish.act], said)
    else:
        assert release is not None
        if wish.act in _TRIALS:
            made = promoter.begin_trial(place, _TRIALS[wish.act], release, wish.share, said)
        else:
            made = promoter.promote(place, release, said)
    if made and made.role is Role.CURRENT:
        here.deployment.observer.promoted(made)
    return made


def send_again(here: Here, caller: Caller, jobs: Sequence[Job]) -> Redriven:
    """Send dead jobs again, each noted before.

    Raises:
        NotPermitted: One is of a tenant that is another's.
    """
    deployment = here.deployment
    for tenant in {job.tenant for job in jobs}:
        caller.person.must(Right.OPERATE, tenant)
    return redrive(
        deployment.ledger,
        jobs,
        served=deployment.tenants.served,
        now=deployment.clock.now(),
        before=lambda job: note(here, caller, "job.redriven", tenant=job.tenant, object=job.id),
    )


def dead_job(here: Here, caller: Caller, tenant: str, job_id: str) -> Job:
    """Return one dead job.

    Raises:
        NotFound: There is none.
        NotPermitted: It is another's.
        UsageError: It is not dead.
    """
    name = name_of(tenant)
    caller.person.must(Right.OPERATE, name)
    job = here.deployment.ledger.job(name, job_id)
    if job.state is not JobState.DEAD:
        raise UsageError(f"job {job.id} is {job.state.value}, not dead")
    return job


def dead_of(here: Here, caller: Caller, reason: Reason) -> list[Job]:
    """Return the dead jobs of one reason, of tenants that somebody operates."""
    dead = here.deployment.records.figures.dead(scope_of(here, caller), limit=MOST)
    return [job for job in dead if Reason.of(job) == reason]


def _promoter(here: Here) -> Promoter:
    return Promoter(ledger=here.deployment.ledger, clock=here.deployment.clock)


def _adopted(here: Here, place: Place) -> None:
    """Count what bedside.toml names as promoted first, where no `bedside serve` ever did."""
    history = here.deployment.ledger.promotions(pipeline=place.pipeline, stage=place.stage)
    if not any(promotion.how is How.FILE for promotion in history):
        here.deployment.adopt(only_first=True)
