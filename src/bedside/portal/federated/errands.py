"""What a browser that was sent to the provider must come back with, kept in a cookie of its own.

Nobody is signed in yet, so there is no session to keep it in. The cookie is out of reach of scripts and of
other sites; a code alone is worth nothing without it.
"""

import base64
import hmac
import json
from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import Request
from starlette.responses import Response

from bedside.config.portal import PortalSettings
from bedside.errors import NotSignedIn
from bedside.ports.signing_in import Errand

NAME = "bedside-errand"
#: Time enough for a password, a second factor and a coffee.
LASTS_S = 900


class Purpose(StrEnum):
    """What somebody was sent to the provider for."""

    ENTER = "enter"
    CONNECT = "connect"  # with the account that they are signed in to


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A browser's errand, and why.

    Attributes:
        errand: What it must come back with.
        purpose: What for.
        onward: Where it goes then; a path of ours.
        account: Whose it was when it was sent, for `Purpose.CONNECT`.
    """

    errand: Errand
    purpose: Purpose = Purpose.ENTER
    onward: str = "/"
    account: str = ""


def keep(answer: Response, sent: Sent, settings: PortalSettings) -> None:
    """Let the browser keep its errand."""
    kept = {
        "state": sent.errand.state,
        "nonce": sent.errand.nonce,
        "verifier": sent.errand.verifier,
        "purpose": sent.purpose.value,
        "onward": sent.onward,
        "account": sent.account,
    }
    text = base64.urlsafe_b64encode(json.dumps(kept).encode()).decode()
    answer.set_cookie(
        _name(settings),
        text,
        max_age=LASTS_S,
        path="/",
        secure=settings.is_secure,
        httponly=True,
        samesite="lax",  # it comes back by a link of the provider's
    )


def clear(answer: Response, settings: PortalSettings) -> None:
    """Let the browser forget it: an errand ends once."""
    answer.delete_cookie(_name(settings), path="/", secure=settings.is_secure, httponly=True, samesite="lax")


def come_back(request: Request, state: str, settings: PortalSettings) -> Sent:
    """Return the errand of a browser that came back.

    Raises:
        NotSignedIn: It was never sent, too long ago, or with another errand.
    """
    text = request.cookies.get(_name(settings), "")
    try:
        kept = json.loads(base64.urlsafe_b64decode(text.encode()))
        errand = Errand(url="", state=kept["state"], nonce=kept["nonce"], verifier=kept["verifier"])
        sent = Sent(
            errand=errand,
            purpose=Purpose(kept["purpose"]),
            onward=str(kept["onward"]),
            account=str(kept["account"]),
        )
        same = hmac.compare_digest(errand.state.encode(), state.encode())
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise NotSignedIn("sign-in: it was not begun in this browser, or too long ago") from exc
    if not state or not same:
        raise NotSignedIn("sign-in: the answer belongs to another one")
    return sent


def _name(settings: PortalSettings) -> str:
    return f"__Host-{NAME}" if settings.is_secure else NAME
