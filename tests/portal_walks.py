"""Walks through a portal with a browser that looks closely: people who come in, and a portal that is new.

Each opens the pages, and the states of pages, that no address alone leads to.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyotp

from bedside.domain.account import AccountState
from bedside.portal.people.admin import PER_PAGE
from bedside.ports.mail import PersonalMail
from issuer_login import CLIENT_ID, CLIENT_SECRET, User
from issuer_server import run_issuer
from portal_accounts import ADMIN, PASSWORD, Clinic, clinic, post
from portal_filled import EMAIL
from portal_looking import Looker, let_tell
from portal_results import TENANT
from portal_serving import a_port, address_of, serving

#: So many know it that it is refused.
KNOWN = "passwordpassword"
#: What nobody administers, a viewer among them, and a provider beside passwords.
SETTINGS = """
[system]
root = "data"
tenants = ["default", "ward-3"]

[portal]
listen = ""
url = "{url}"
sign_up = true
second_factor_for = ["viewer"]

[identity]
issuer = "{issuer}"
clients = ["scripts"]
client_id = "{client}"
client_secret = "{secret}"
"""


@contextmanager
def new_portal(folder: Path) -> Iterator[tuple[Clinic, str]]:
    """Open a portal to which nobody came yet, with an identity provider; give its address."""
    port = a_port()
    with run_issuer() as issuer:
        url = address_of(port)
        issuer.login.backs.add(f"{url}/sign-in/oidc/callback")
        claims = {"email": "ana@ward.example", "name": "Ana", "groups": ["ward-3:engineer"]}
        issuer.login.users["ana"] = User(password="pw", sub="s-1", claims=claims)
        text = SETTINGS.format(url=url, issuer=issuer.url, client=CLIENT_ID, secret=CLIENT_SECRET)
        with clinic(folder, text) as opened:
            let_tell(opened.app)
            with serving(opened.app, port):
                yield opened, url


def doors(look: Looker, fresh: Clinic) -> None:
    """Ask for an account, and make the first one, each with a mistake before."""
    look.at("/sign-in")
    look.at("/recover")
    look.at("/join")
    join(look, KNOWN)
    look.fill(email="new@ward.example", password=PASSWORD, again=PASSWORD)
    look.press("main form button")
    look.look()
    look.at("/first/of-last-month", status=404)
    look.at(f"/first/{fresh.people.invitations.first()}")
    join(look, KNOWN)
    look.fill(email="ana@ward.example", password=PASSWORD, again=PASSWORD)
    look.press("main form button")
    look.look()


def join(look: Looker, password: str) -> None:
    """Fill in a form of somebody new, send it, and look at what is wrong with it."""
    look.fill(name="Ana")
    if look.page.locator("#email:not([readonly])").count():
        look.fill(email="ana@ward.example")
    look.fill(password=password, again=password)
    look.press("main form button")
    look.look()


def nothing_yet(look: Looker) -> None:
    """Open every list while there is nothing in it; whoever looks may all."""
    for part in ("upload", "studies", "jobs", "entries", "judgements", "audit"):
        look.at(f"/t/{TENANT}/{part}")
    look.at(f"/t/{TENANT}/studies?state=dead")
    look.at(f"/t/{TENANT}/jobs?state=dead")
    for part in ("", "/dead", "/rules", "/releases", "/notices", "/settings?only_set=true"):
        look.at(f"/operate{part}")
    look.at("/audit?person=nobody")
    look.at("/admin/people?search=nobody")
    look.at("/admin/people?state=waiting")
    look.at(f"/admin/tenants/{TENANT}/inventory")
    look.go("/operate/rules")
    look.press("button[formaction]")
    look.look()


def second_factors(look: Looker, fresh: Clinic) -> None:
    """Set a second factor up, sign in with it, lose it to an administrator; and be made to have one."""
    look.at("/me/second-factor")
    look.fill(current="something else")
    look.press("main form button")
    look.look()
    look.fill(current=PASSWORD)
    look.press("main form button")
    look.look()
    secret = secret_on(look)
    look.fill(code="000000" if pyotp.TOTP(secret).now() != "000000" else "000001")
    look.press("main form button")
    look.look()
    look.fill(code=pyotp.TOTP(secret).now())
    look.press("main form button")
    look.look()
    codes = look.page.locator(".codes code").all_inner_texts()
    look.at("/me/second-factor")
    ana = fresh.people.accounts.by_email("ana@ward.example")
    assert ana is not None
    look.at(f"/admin/people/{ana.id}")
    look.sign_out()
    look.sign_in("ana@ward.example", PASSWORD)
    look.look()
    look.fill(code="wrong")
    look.press("main form button")
    look.look()
    look.fill(code=codes[0])
    look.press("main form button")
    look.go("/me/second-factor")
    look.fill(**{"remove-code": codes[1]})
    look.press("main form:has(#remove-code) button")
    look.look()
    fresh.account("vi", post("viewer", TENANT), language="")
    look.sign_out()
    look.sign_in("vi@ward.example", PASSWORD)
    look.look()
    look.fill(code=pyotp.TOTP(secret_on(look)).now())
    look.press("main form button")
    look.look()
    look.at("/me/second-factor")
    look.sign_out()


def secret_on(look: Looker) -> str:
    """Return the secret that a page shows to somebody who sets a second factor up."""
    found = re.search(r"<code>([A-Z2-7 ]{32,})</code>", look.page.content())
    assert found, look.page.url
    return found[1].replace(" ", "")


def provider(look: Looker) -> None:
    """Connect an identity provider, with all that goes wrong on the way."""
    look.at("/me/oidc")
    look.press("main form button")
    look.look()
    look.press("main a.button")
    at_the_provider(look, "wrong")
    look.look()
    look.go("/me/oidc")
    look.press("main form button")
    look.press("main a.button")
    at_the_provider(look, "pw")
    look.look()
    look.at("/me")
    look.press("header form button")
    look.look()
    look.at("/sign-in/oidc/callback?state=stale&code=stale", status=401)


def at_the_provider(look: Looker, password: str) -> None:
    """Sign in there; the page is not ours, so nobody looks at it."""
    look.page.locator("[name=user]").fill("ana")
    look.page.locator("[name=password]").fill(password)
    look.press("button")


class Postbox:
    """Keeps mails instead of sending them."""

    def __init__(self) -> None:
        self.mails: list[PersonalMail] = []

    def send(self, mail: PersonalMail) -> None:
        """Keep a mail."""
        self.mails.append(mail)


def links(look: Looker, ward: Clinic) -> None:
    """Open what links in mails lead to: invitations of every kind, and another password."""
    ward.deployment.__dict__["mailer"] = Postbox()
    look.at("/recover")
    look.fill(email=EMAIL)
    look.press("main form button")
    look.look()
    lin = ward.people.accounts.by_email("lin@ward.example")
    assert lin is not None
    recovery = f"/recover/{ward.people.recovery.make(lin)}"
    look.at(recovery)
    look.fill(password=KNOWN, again=KNOWN)
    look.press("main form button")
    look.look()
    look.fill(password=PASSWORD, again=PASSWORD)
    look.press("main form button")
    look.look()
    look.at(recovery, status=404)
    look.at(f"/join/{invited(ward, 'new@ward.example')}")
    join(look, KNOWN)
    for_lin = f"/join/{invited(ward, 'lin@ward.example')}"
    look.at(for_lin)
    look.press("main a.button")
    look.look()
    look.fill(email=EMAIL, password="something else")  # pragma: allowlist secret
    look.press("main form:has(#password) button")
    look.look()
    look.fill(email=EMAIL, password=PASSWORD)
    look.press("main form:has(#password) button")
    look.look()
    mine = f"/join/{invited(ward, EMAIL)}"
    look.at(mine)
    look.press("main form button")
    look.look()
    look.at(mine, status=404)


def invited(ward: Clinic, email: str) -> str:
    """Invite somebody; return the secret of the link."""
    _, secret = ward.people.invitations.invite(email, [post("viewer", TENANT), ADMIN], by=None)
    return secret


def people(look: Looker, ward: Clinic) -> None:
    """Look at people in every state, and do to them what administrators do; whoever looks is one."""
    for name, state in (("tam", AccountState.WAITING), ("uri", AccountState.DISABLED)):
        made = ward.account(name, state=state, wish=TENANT, language="")
        look.at(f"/admin/people/{made.id}?done=given")
    look.at("/admin/people?done=withdrawn")
    look.go("/admin/people/invite")
    look.fill(email=f"{look.language}@ward.example")
    for role in look.page.locator("input[name=role]:checked").all():
        role.uncheck()
    look.press("main form button >> nth=-1")
    look.look()
    look.page.locator("input[name=role]").first.check()
    look.press("main form button >> nth=-1")
    look.look()
    look.go("/me")
    look.fill(token_name="nightly")
    look.press("form[action='/me/tokens'] button")
    look.look()
    look.fill(current="something else", password=KNOWN, again=KNOWN)
    look.press("form[action='/me/password'] button")
    look.look()
    look.go("/me")
    look.press("form[action='/me'] button")
    look.look()
    for number in range(PER_PAGE):
        ward.account(f"w-{number}")
    look.at("/admin/people?page=2")
