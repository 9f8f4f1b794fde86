"""All routes about people."""

from collections.abc import Sequence

from fastapi import APIRouter

from bedside.portal.people import admin, api, api_me, api_ways, joining, me, recovering, signing

ROUTERS: Sequence[APIRouter] = (
    signing.router,
    joining.router,
    recovering.router,
    me.router,
    admin.router,
    api_ways.router,
    api_me.without_token,
    api_me.router,
    api.router,
)
