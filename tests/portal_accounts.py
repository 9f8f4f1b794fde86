"""A portal whose people are real: accounts in its ledger, signed in through its own page.

For tests of signing in and of rights, and for stories: a browser's cookie and its forgery token come from
the pages, as in a browser.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.testclient import TestClient

from bedside.config import load
from bedside.domain.account import Account, AccountState, Profile, new_id
from bedside.domain.person import PersonRole, Post
from bedside.people import People
from bedside.people.passwords import Passwords
from bedside.portal.access.accounts import AccountGate
from bedside.portal.access.bearer import BearerGate
from bedside.portal.app import create_app
from bedside.wiring import Deployment, open_deployment
from bedside.wiring.people import open_people
from portal_site import SETTINGS

PASSWORD = "seven green herons wading"  # pragma: allowlist secret
#: Costs next to nothing; real costs have a test of their own.
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ADMIN = Post(role=PersonRole.ADMIN)


def post(role: str, node: str = "") -> Post:
    """Return a role at a node, e.g. ``post("clinician", "default")``."""
    return Post(role=PersonRole(role), node=node)


@dataclass
class Clinic:
    """A portal with accounts.

    Attributes:
        deployment: What it shows.
        app: Its application.
    """

    deployment: Deployment
    app: FastAPI = field(repr=False)

    @property
    def people(self) -> People:
        """What decides about its accounts."""
        return self.deployment.people

    def account(
        self,
        name: str,
        *posts: Post,
        state: AccountState = AccountState.ACTIVE,
        language: str = "en",
        wish: str = "",
    ) -> Account:
        """Make an account; its address is ``<name>@ward.example``, its password `PASSWORD`."""
        made = Account(
            id=new_id(),
            email=f"{name}@ward.example",
            profile=Profile(name=name.title(), language=language),
            posts=posts,
            state=state,
            wish=wish,
            password=self.people.passwords.hash(PASSWORD),
            made_at=self.deployment.clock.now(),
        )
        assert self.people.accounts.add(made)
        return made

    def browser(self, address: str = "10.1.1.1") -> TestClient:
        """Return a browser in which nobody is signed in."""
        return TestClient(
            self.app, follow_redirects=False, raise_server_exceptions=False, client=(address, 50000)
        )

    def sign_in(self, name: str, password: str = PASSWORD) -> TestClient:
        """Return a browser in which somebody signed in, by the page; forms carry the session's token."""
        browser = self.browser()
        answer = browser.post("/sign-in", data={"email": f"{name}@ward.example", "password": password})
        assert answer.status_code == 303, answer.text
        return with_csrf(browser)

    def enter(self, name: str, *posts: Post) -> TestClient:
        """Make an account and sign it in."""
        self.account(name, *posts)
        return self.sign_in(name)


def with_csrf(browser: TestClient) -> TestClient:
    """Let a browser send the token of its session, as its pages would."""
    page = browser.get("/me").text
    found = re.search(r'"X-CSRF-Token": "([0-9a-f]+)"', page)
    assert found, page
    browser.headers["X-CSRF-Token"] = found[1]
    return browser


@contextmanager
def clinic(folder: Path, settings: str = SETTINGS) -> Iterator[Clinic]:
    """Open a portal with accounts over a deployment in a folder."""
    file = folder / "bedside.toml"
    file.write_text(settings, encoding="utf-8")
    deployment = open_deployment(load(file, environment={}, flags={}).settings)
    people = open_people(
        deployment.records.accounts, deployment.clock, deployment.settings.portal, Passwords(CHEAP)
    )
    deployment.__dict__["people"] = people
    gate = AccountGate(people, BearerGate(None), deployment.settings.portal)
    try:
        yield Clinic(deployment=deployment, app=create_app(deployment, gate))
    finally:
        deployment.close()
