"""Forms of people who are not signed in: no session's token can be in them, so the browser is asked."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from bedside.errors import ErrorCode, NotPermitted, told
from bedside.portal.here import here


async def own_form(request: Request) -> None:
    """Refuse what a page of another site sent: it would sign somebody in as somebody else.

    Browsers say where a form comes from (Fetch Metadata, or Origin); programs say neither.

    Raises:
        NotPermitted: It came from elsewhere.
    """
    site = request.headers.get("sec-fetch-site", "")
    origin = request.headers.get("origin", "")
    if site:
        own = site in {"same-origin", "none"}
    elif origin:
        hosts = {request.url.netloc, urlsplit(here(request).deployment.settings.portal.address).netloc}
        own = origin.partition("://")[2] in hosts - {""}  # "null" is a page that hides where it is from
    else:
        own = True
    if not own:
        raise NotPermitted(
            "a form of another site",
            hint="open the page itself and fill it in there",
            told=told(ErrorCode.FORM_FOREIGN),
        )


OwnForm = Annotated[None, Depends(own_form)]
