"""All routes about people."""

from collections.abc import Sequence

from fastapi import APIRouter

from bedside.portal.people import joining, signing

ROUTERS: Sequence[APIRouter] = (signing.router, joining.router)
