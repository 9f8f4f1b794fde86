"""From a template and its values to a page, in the language of whoever looks at it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from bedside.config.portal import PortalSettings
from bedside.domain.expression import WITHHELD
from bedside.domain.tenant import path_of
from bedside.portal.access.caller import Caller
from bedside.portal.shell.menu import menu_of
from bedside.portal.shell.statics import address_of
from bedside.portal.shell.telling import said_of
from bedside.portal.shell.words import LANGUAGES, Words, chosen

LANGUAGE_COOKIE = "language"


class Pages:
    """Makes HTML.

    Args:
        settings: Of the portal.
    """

    def __init__(self, settings: PortalSettings) -> None:
        self._settings = settings
        self._environment = Environment(
            loader=PackageLoader("bedside.portal"),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,  # a value that is missing is a mistake, not an empty place
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            asset=address_of, path_of=path_of, said_of=said_of, withheld=WITHHELD
        )
        self._environment.filters["moment"] = _moment

    def words(self, request: Request, caller: Caller | None = None) -> Words:
        """Return the texts in the language of whoever asks."""
        wish = request.cookies.get(LANGUAGE_COOKIE, "") or (caller.language if caller else "")
        return Words(chosen(wish, request.headers.get("accept-language", "")))

    def part(self, template: str, words: Words, **values: Any) -> str:
        """Return a piece of a page, for streams: made once for everybody who speaks a language.

        Args:
            template: Its name below ``templates/``.
            words: The texts of the language.
            **values: What the template is filled with.
        """
        return self._environment.get_template(template).render(t=words, **values)

    def render(
        self,
        request: Request,
        template: str,
        /,
        *,
        caller: Caller | None = None,
        tenant: str = "",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """Return a page, or a part of one.

        Args:
            request: What is answered.
            template: Its name below ``templates/``.
            caller: Who asks, if known.
            tenant: Where the page is, which the menu leads around in; empty is nowhere.
            status: Of the answer.
            headers: Of the answer, besides those of every page.
            **values: What the template is filled with.
        """
        words = self.words(request, caller)
        html = self._environment.get_template(template).render(
            request=request,
            caller=caller,
            tenant=tenant,
            menu=menu_of(caller, tenant),
            t=words,
            languages=LANGUAGES,
            csrf=caller.csrf if caller else "",
            **values,
        )
        return HTMLResponse(html, status_code=status, headers={"Vary": "Cookie", **(headers or {})})


def _moment(at: datetime | None) -> str:
    """Return a time as pages show it, UTC; scripts turn it into the browser's own time."""
    return at.strftime("%Y-%m-%d %H:%M") if at else ""
