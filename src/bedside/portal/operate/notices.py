"""Who is told when something needs a person, and a test of it, for pages and scripts."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from bedside.domain.notice import NoticeKind
from bedside.errors import BedsideError, UsageError
from bedside.operate.telling import sent, test_bulletin
from bedside.portal.access.caller import Caller
from bedside.portal.access.trail import note
from bedside.portal.here import Here, InHere
from bedside.portal.operate.parts import Engineer, page
from bedside.wiring.notices import Channel, channels_of, deployment_name

router = APIRouter()

#: Of an address, what stays: its first letter and its host.
_MAIL = re.compile(r"([^\s@,]?)[^\s@,]*@")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What became of a test notice."""

    channel: str
    to: str
    failed: BedsideError | None


class ChannelShown(BaseModel):
    """A channel that is set."""

    channel: str = Field(description="log, topic, webhook or email.")
    to: str = Field(description="Where it leads; secrets and people's addresses are masked.")


class TestedShown(ChannelShown):
    """What became of a test notice."""

    sent: bool
    reason: str
    hint: str


class TestAsked(BaseModel):
    """Which channel to test."""

    channel: str = Field("", description="Empty is every one.")


@router.get("/operate/notices", include_in_schema=False)
def notices(request: Request, here: InHere, caller: Engineer) -> Response:
    """Show the channels and what is told."""
    return _page(request, here, caller)


@router.post("/operate/notices/test", include_in_schema=False)
def test_page(
    request: Request, here: InHere, caller: Engineer, channel: Annotated[str, Form()] = ""
) -> Response:
    """Send a test notice, and show what became of it."""
    return _page(request, here, caller, tested=_test(here, caller, channel))


@router.get("/api/v1/operate/notices", tags=["operate"])
def channels(here: InHere, _caller: Engineer) -> list[ChannelShown]:
    """Return the channels that are set."""
    return [ChannelShown(channel=each.name, to=masked(each.to)) for each in _channels(here)]


@router.post("/api/v1/operate/notices/test", tags=["operate"])
def test(here: InHere, caller: Engineer, asked: TestAsked) -> list[TestedShown]:
    """Send a test notice; that a channel took it does not say that somebody reads it."""
    return [
        TestedShown(
            channel=each.channel,
            to=each.to,
            sent=each.failed is None,
            reason=each.failed.message if each.failed else "",
            hint=each.failed.hint if each.failed else "",
        )
        for each in _test(here, caller, asked.channel)
    ]


def masked(to: str) -> str:
    """Return where a channel leads without whose mailbox it is."""
    return _MAIL.sub(r"\1***@", to)


def _page(request: Request, here: Here, caller: Caller, *, tested: list[Tested] | None = None) -> Response:
    wanted = here.deployment.settings.notify
    kinds = [kind for kind in NoticeKind if kind is not NoticeKind.TEST]
    return page(
        request,
        here,
        caller,
        "notices.html",
        channels=[(each.name, masked(each.to)) for each in _channels(here)],
        kinds=[kind for kind in kinds if not wanted.kinds or kind.value in wanted.kinds],
        digest_s=wanted.digest_s,
        tested=tested,
    )


def _channels(here: Here) -> list[Channel]:
    deployment = here.deployment
    return channels_of(deployment.settings, clock=deployment.clock, log=deployment.log)


def _test(here: Here, caller: Caller, channel: str) -> list[Tested]:
    found = _channels(here)
    chosen = [each for each in found if channel in ("", each.name)]
    if not chosen:
        there = ", ".join(each.name for each in found) or "none"
        raise UsageError(f"no such channel is set; these are: {there}", hint="set one in [notify]")
    note(here, caller, "notice.tested", detail={"channels": ",".join(each.name for each in chosen)})
    bulletin = test_bulletin(deployment_name(here.deployment.settings), here.deployment.clock.now())
    return [
        Tested(channel=each.name, to=masked(each.to), failed=sent(each.open, bulletin)) for each in chosen
    ]
