"""Letting somebody in who proved who they are: a session begins, the browser gets its cookie."""

from starlette.requests import Request
from starlette.responses import RedirectResponse

from bedside.domain.account import Account
from bedside.portal.access import cookie, halfway
from bedside.portal.access.trail import note
from bedside.portal.here import Here
from bedside.portal.shell.ways import local_path

#: The most special first: most programs call themselves several others too.
_PROGRAMS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
    ("python", "Python"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def let_in(
    request: Request, here: Here, account: Account, *, by: str, onward: str = "/", proven: bool = False
) -> RedirectResponse:
    """Begin a session and lead on; or first to the question for a second factor, where there is one.

    Args:
        request: What is answered; a session that its browser had ends.
        here: The portal.
        account: Who proved who they are.
        by: How: ``password``, ``invitation``, ...; for the trail.
        onward: Where they want to go; a path of ours or it is the first page.
        proven: They brought their second factor, or came by a provider, whose business that is.
    """
    deployment = here.deployment
    if not proven and halfway.is_asked(here, account):
        return halfway.sent(here, account, by=by, onward=onward)
    settings, sessions = deployment.settings.portal, deployment.people.sessions
    note(here, account.person, "session.begun", object=account.id, detail={"by": by})
    secret = sessions.begin(
        account,
        agent=agent_of(request.headers.get("user-agent", "")),
        instead_of=cookie.read(request, settings),
    )
    answer = RedirectResponse(local_path(onward), status_code=303)
    cookie.write(answer, secret, settings, lasts_s=sessions.longest_s)
    return answer


def agent_of(header: str) -> str:
    """Return program and system of a browser, e.g. ``Firefox, Linux``; empty where neither is known."""
    found = [next((name for mark, name in known if mark in header), "") for known in (_PROGRAMS, _SYSTEMS)]
    return ", ".join(name for name in found if name)


def place_of(request: Request) -> str:
    """Return the address on the network that somebody asks from."""
    return request.client.host if request.client else ""
