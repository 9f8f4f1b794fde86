"""The page of releases: where each works, how shadows compare, and what an engineer changes about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bedside.domain.pipeline import Release
from bedside.domain.release import Comparison, Promotion, Role
from bedside.errors import BedsideError, NotFound, UsageError
from bedside.operate.trials import Row, label_rows, number_rows, places
from bedside.portal.access.caller import Caller
from bedside.portal.here import Here, InHere
from bedside.portal.operate.changing import Act, Wish, change, check
from bedside.portal.operate.parts import Engineer, page
from bedside.worker.promote import Ours, Place

router = APIRouter(prefix="/operate/releases", include_in_schema=False)

#: Lines of history on the page; the API has all.
HISTORY = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """How a shadow compares, over all tenants.

    Attributes:
        release: The shadow's digest.
        against: What was delivered, by digest.
        compared: Studies that could be compared.
        labels: Masks.
        numbers: Outputs.
        problems: Studies that could not.
    """

    release: str
    against: tuple[str, ...]
    compared: int
    labels: Sequence[Row]
    numbers: Sequence[Row]
    problems: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StageShown:
    """A stage that runs a release, and what stands there by role."""

    place: Place
    standing: Mapping[Role, Promotion]


def stages_of(here: Here) -> list[StageShown]:
    """Return the configured stages that run a release, with what works there."""
    standing = [p for p in here.deployment.ledger.standing() if p.digest]
    return [
        StageShown(
            place=place,
            standing={p.role: p for p in standing if p.place == (place.pipeline, place.stage)},
        )
        for place in places(here.deployment.settings)
    ]


def comparisons_of(here: Here) -> list[Compared]:
    """Return how every shadow compares, the one compared last first."""
    found: dict[str, list[Comparison]] = {}
    every = [c for name in here.deployment.tenants.known for c in here.deployment.ledger.comparisons(name)]
    for comparison in sorted(every, key=lambda c: c.compared_at, reverse=True):
        found.setdefault(comparison.release, []).append(comparison)
    return [_compared(release, same) for release, same in found.items()]


@router.get("")
def releases(request: Request, here: InHere, caller: Engineer, done: str = "") -> Response:
    """Show releases, stages, history and comparisons."""
    return _page(request, here, caller, done=done if done in {*Act, "nothing"} else "")


@router.post("")
def act(
    request: Request,
    here: InHere,
    caller: Engineer,
    act: Annotated[Act, Form()],
    pipeline: Annotated[str, Form()] = "",
    stage: Annotated[str, Form()] = "",
    release: Annotated[str, Form()] = "",
    percent: Annotated[float, Form()] = 100.0,
    reason: Annotated[str, Form()] = "",
    confirmed: Annotated[bool, Form()] = False,
) -> Response:
    """Show what would be changed, and change it once that was confirmed."""
    wish = Wish(
        act=act, pipeline=pipeline, stage=stage, release=release, share=percent / 100, reason=reason.strip()
    )
    try:
        checked = check(here, wish)
        if confirmed:
            made = change(here, caller, checked)
            return RedirectResponse(f"/operate/releases?done={act if made else 'nothing'}", status_code=303)
    except (UsageError, NotFound) as wrong:
        return _page(request, here, caller, problem=wrong, status=400)
    return page(request, here, caller, "confirm_release.html", checked=checked, wish=wish, percent=percent)


def _page(
    request: Request,
    here: Here,
    caller: Caller,
    *,
    done: str = "",
    problem: BedsideError | None = None,
    status: int = 200,
) -> Response:
    ledger = here.deployment.ledger
    known = ledger.releases()
    return page(
        request,
        here,
        caller,
        "releases.html",
        status=status,
        releases=known,
        by_digest={release.digest: release for release in known},
        names=names_of(ledger.release_names()),
        stages=stages_of(here),
        used=used_by(here),
        history=ledger.promotions()[:HISTORY],
        ours={reason.value: reason.name.lower() for reason in Ours},
        compared=comparisons_of(here),
        done=done,
        problem=problem,
    )


def names_of(digests: Mapping[str, str]) -> Mapping[str, list[str]]:
    """Return the names of each digest."""
    names: dict[str, list[str]] = {}
    for name, digest in sorted(digests.items()):
        names.setdefault(digest, []).append(name)
    return names


def used_by(here: Here) -> Mapping[str, list[Promotion]]:
    """Return where each release works, by digest."""
    used: dict[str, list[Promotion]] = {}
    for promotion in here.deployment.ledger.standing():
        if promotion.digest:
            used.setdefault(promotion.digest, []).append(promotion)
    return used


def described(release: Release | None, digest: str) -> str:
    """Return a release in a few words."""
    return f"{release.name} {release.version}" if release else digest


def _compared(release: str, same: Sequence[Comparison]) -> Compared:
    good = [comparison for comparison in same if not comparison.problem]
    return Compared(
        release=release,
        against=tuple(sorted({comparison.against for comparison in same})),
        compared=len(good),
        labels=label_rows(good),
        numbers=number_rows(good),
        problems=len(same) - len(good),
    )
