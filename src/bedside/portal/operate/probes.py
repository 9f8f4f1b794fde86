"""Whether the portal can answer: what a load balancer or Kubernetes asks before it sends people here."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import Response

from bedside.portal.operate.parts import InOperating

router = APIRouter(tags=["health"])

Answer = Literal["ok", "out of reach"]


class ReadyShown(BaseModel):
    """Which parts answer."""

    status: Literal["ready", "not ready"]
    ledger: Answer
    store: Answer


@router.get(
    "/health/ready",
    responses={503: {"model": ReadyShown, "description": "A part does not answer."}},
    openapi_extra={"security": []},
)
def ready(parts: InOperating, response: Response) -> ReadyShown:
    """Say whether ledger and store answer, and nothing of what they hold: nobody needs to sign in."""
    found = parts.readiness.look()
    if not found.ok:
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    return ReadyShown(
        status="ready" if found.ok else "not ready",
        ledger="ok" if found.ledger else "out of reach",
        store="ok" if found.store else "out of reach",
    )
