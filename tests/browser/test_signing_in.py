"""Coming in with a real browser: by an identity provider's page, and by a password with a second factor.

What no other test sees: that a browser follows the ways under the policy of our pages, and sends the cookies
back when it comes from another site.
"""

import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest
import uvicorn
from playwright.sync_api import Page

from bedside.config import load
from bedside.domain.account import Account, Profile
from bedside.domain.person import PersonRole, Post
from bedside.portal.access.accounts import AccountGate
from bedside.portal.access.bearer import BearerGate
from bedside.portal.app import create_app
from bedside.wiring import open_deployment
from issuer_login import CLIENT_ID, CLIENT_SECRET, User
from issuer_server import run_issuer

pytestmark = pytest.mark.needs("chromium")

PASSWORD = "four words in a row"  # pragma: allowlist secret


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A portal with accounts and an identity provider."""
    listening = socket.create_server(("127.0.0.1", 0))
    here = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with run_issuer() as issuer:
        issuer.login.backs.add(f"{here}/sign-in/oidc/callback")
        claims = {"email": "ben@x.example", "name": "Ben C.", "groups": ["default:viewer"]}
        issuer.login.users["ben"] = User(password="pw", sub="s-2", claims=claims)
        file = tmp_path / "bedside.toml"
        file.write_text(
            f'[system]\nroot = "data"\n[portal]\nlisten = ""\nurl = "{here}"\n'
            f'[identity]\nissuer = "{issuer.url}"\nclients = ["scripts"]\nclient_id = "{CLIENT_ID}"\n'
            f'client_secret = "{CLIENT_SECRET}"\n'
        )
        settings = load(file, environment={}, flags={}).settings
        deployment = open_deployment(settings)
        deployment.records.accounts.add(
            Account(
                id="a-1",
                email="anna@x.example",
                profile=Profile(name="Anna"),
                made_at=datetime.now(UTC),
                posts=(Post(role=PersonRole.VIEWER, node="default"),),
                password=deployment.people.passwords.hash(PASSWORD),
            )
        )
        app = create_app(deployment, AccountGate(deployment.people, BearerGate(None), settings.portal))
        server = uvicorn.Server(
            uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield here
        server.should_exit = True
        thread.join(10)
        listening.close()
        deployment.close()


def test_a_browser_goes_to_the_provider_and_comes_back(address: str, page: Page) -> None:
    page.goto(f"{address}/")
    page.get_by_role("link", name=re.compile("Sign in with")).click()
    page.locator("[name=user]").fill("ben")
    page.locator("[name=password]").fill("pw")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{address}/")
    assert page.get_by_role("link", name="Ben C.").is_visible()
    assert page.get_by_role("link", name="default").is_visible()


def test_a_phone_is_set_up_and_asked_for(address: str, page: Page) -> None:
    def sign_in() -> None:
        page.goto(f"{address}/sign-in")
        page.locator("#email").fill("anna@x.example")
        page.locator("#password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()

    sign_in()
    page.wait_for_url(f"{address}/")
    page.goto(f"{address}/me/second-factor")
    page.locator("#current").fill(PASSWORD)
    page.get_by_role("button", name="Set it up").click()
    picture = page.locator(".qr")
    picture.wait_for()
    assert picture.evaluate("image => image.complete && image.naturalWidth") > 100, (
        "the policy lets it be seen"
    )
    secret = re.findall(r"<code>([A-Z2-7 ]{32,})</code>", page.content())[0].replace(" ", "")
    page.locator("#code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Confirm it").click()
    code = page.locator(".codes code").first.inner_text()
    page.context.clear_cookies()
    sign_in()
    page.wait_for_url(re.compile("/sign-in/code"))
    page.locator("#code").fill(code)
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url(f"{address}/")
    assert page.get_by_role("link", name="Anna").is_visible()
