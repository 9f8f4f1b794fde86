"""What every answer is made from: the deployment, who guards it, and the templates."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from bedside.people.attempts import Attempts
from bedside.portal.access.gate import Gate
from bedside.portal.shell.pages import Pages
from bedside.wiring import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The parts of one portal.

    Attributes:
        deployment: Ledger, store, settings, clock, log.
        gate: Knows who asks.
        pages: Makes HTML.
        attempts: How often somebody tried to come in.
    """

    deployment: Deployment
    gate: Gate
    pages: Pages
    attempts: Attempts = field(default_factory=Attempts)


def here(request: Request) -> Here:
    """Return the parts of the portal that was asked."""
    found: Here = request.app.state.here
    return found


InHere = Annotated[Here, Depends(here)]
