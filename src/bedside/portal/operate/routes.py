"""What this area answers to, pages before the API."""

from collections.abc import Sequence

from fastapi import APIRouter

from bedside.portal.operate import (
    dead,
    metrics,
    notices,
    overview,
    overview_api,
    probes,
    releases,
    releases_api,
    rules,
    rules_api,
    settings,
)

ROUTERS: Sequence[APIRouter] = (
    overview.router,
    rules.router,
    releases.router,
    dead.router,
    notices.router,
    settings.router,
    overview_api.router,
    rules_api.router,
    releases_api.router,
    metrics.router,
    probes.router,
)
