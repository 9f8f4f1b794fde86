"""Somebody who proved the password and is asked for a second factor: known by a cookie of fifteen minutes.

Halfway is nobody: no route takes this cookie but the ones that ask for the code.
"""

from urllib.parse import urlencode

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response

from bedside.config.portal import PortalSettings
from bedside.domain.account import Account, AccountState, Link, LinkKind
from bedside.errors import NotFound, NotSignedIn
from bedside.people.links import VALID, Links
from bedside.people.proved import must_hold
from bedside.portal.here import Here
from bedside.portal.shell.ways import local_path

NAME = "bedside-halfway"
ASKS = "/sign-in/code"


def is_asked(here: Here, account: Account) -> bool:
    """Whether somebody has a second factor, or must set one up."""
    seconds = here.deployment.seconds
    return seconds.of(account) is not None or seconds.is_needed(account)


def sent(here: Here, account: Account, *, by: str, onward: str) -> RedirectResponse:
    """Send somebody to where the code is asked for.

    Raises:
        NotSignedIn: What they proved does not hold any more; see `bedside.people.proved`.
    """
    accounts = here.deployment.records.accounts
    # Which way they came is for the trail; the field is free in links of this kind.
    link, secret = _links(here).make(LinkKind.HALFWAY, account=account.id, made_by=by)
    try:
        must_hold(accounts, account)
    except NotSignedIn:
        accounts.take_link(link.id)
        raise
    answer = RedirectResponse(f"{ASKS}?{urlencode({'next': local_path(onward)})}", status_code=303)
    settings = here.deployment.settings.portal
    answer.set_cookie(
        _name(settings),
        secret,
        max_age=int(VALID[LinkKind.HALFWAY].total_seconds()),
        path="/",
        secure=settings.is_secure,
        httponly=True,
        samesite="strict",
    )
    return answer


def whose(connection: HTTPConnection, here: Here) -> tuple[Link, Account]:
    """Return who is halfway in this browser.

    Raises:
        NotSignedIn: Nobody is, or not any more.
    """
    secret = connection.cookies.get(_name(here.deployment.settings.portal), "")
    try:
        link = _links(here).look(LinkKind.HALFWAY, secret)
    except NotFound as exc:
        raise NotSignedIn("nobody brought a password in this browser, or too long ago") from exc
    account = here.deployment.records.accounts.account(link.account)
    if account is None or account.state is not AccountState.ACTIVE:
        raise NotSignedIn("the account is not active")
    return link, account


def arrived(here: Here, link: Link, answer: Response) -> None:
    """Use the halfway up: its owner came in.

    Raises:
        NotFound: Somebody did so at the same moment.
    """
    _links(here).use(link)
    settings = here.deployment.settings.portal
    answer.delete_cookie(
        _name(settings), path="/", secure=settings.is_secure, httponly=True, samesite="strict"
    )


def _links(here: Here) -> Links:
    return Links(here.deployment.records.accounts, here.deployment.clock)


def _name(settings: PortalSettings) -> str:
    return f"__Host-{NAME}" if settings.is_secure else NAME
