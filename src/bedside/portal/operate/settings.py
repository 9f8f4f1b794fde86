"""Every setting with its value and where that came from; secrets are masked before they get here."""

import json

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from bedside.config import Shown, shown
from bedside.config.load import DEFAULT
from bedside.portal.here import Here, InHere
from bedside.portal.operate.parts import Engineer, page

router = APIRouter()


class SettingShown(BaseModel):
    """One setting."""

    key: str
    value: object = Field(description="JSON; what is secret in it is ***.")
    source: str = Field(description="default, a file and line, a variable's name, or flag.")


@router.get("/operate/settings", include_in_schema=False)
def settings(request: Request, here: InHere, caller: Engineer, only_set: bool = False) -> Response:
    """Show all settings by section, or those alone that are not at their default."""
    sections: dict[str, list[tuple[str, str, str]]] = {}
    for line in _lines(here):
        if only_set and line.source == DEFAULT:
            continue
        section, _, key = line.key.partition(".")
        sections.setdefault(section, []).append((key, _text(line.value), line.source))
    return page(request, here, caller, "settings.html", sections=sections, only_set=only_set)


@router.get("/api/v1/operate/settings", tags=["operate"])
def all_settings(here: InHere, _caller: Engineer) -> list[SettingShown]:
    """Return all settings in the order of the schema."""
    return [SettingShown(key=line.key, value=line.value, source=line.source) for line in _lines(here)]


def _lines(here: Here) -> list[Shown]:
    return shown(here.deployment.settings, here.deployment.sources)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
