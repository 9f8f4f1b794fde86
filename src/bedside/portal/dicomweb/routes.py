"""All routes of DICOMweb."""

from collections.abc import Sequence

from fastapi import APIRouter

from bedside.portal.dicomweb import bulk, frames, metadata, rendered, retrieve, search, store
from bedside.portal.dicomweb.described import SCHEMAS

__all__ = ["ROUTERS", "SCHEMAS"]

#: Those with fixed words before those that take any UID.
ROUTERS: Sequence[APIRouter] = (
    frames.router,
    search.router,
    metadata.router,
    rendered.router,
    bulk.router,
    retrieve.router,
    store.router,
)
