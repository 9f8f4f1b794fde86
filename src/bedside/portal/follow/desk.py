"""What following keeps in the portal's process: estimates of usual times, and the streams of each tenant."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from bedside.following.estimate import Estimator
from bedside.portal.follow.hub import Hub
from bedside.wiring import Deployment


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One per portal.

    Attributes:
        estimator: Says when jobs will probably end.
        hub: Looks at the ledger for everybody who watches.
    """

    estimator: Estimator
    hub: Hub


def add(app: FastAPI, deployment: Deployment) -> None:
    """Give an application its desk."""
    estimator = Estimator(deployment.ledger, deployment.clock)
    hub = Hub(ledger=deployment.ledger, estimator=estimator, log=deployment.log)
    app.state.desk = Desk(estimator=estimator, hub=hub)


def desk(request: Request) -> Desk:
    """Return the desk of the portal that was asked."""
    found: Desk = request.app.state.desk
    return found


AtDesk = Annotated[Desk, Depends(desk)]
