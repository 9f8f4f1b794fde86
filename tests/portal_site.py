"""A portal for tests: a real deployment in a folder, asked through HTTP by whoever the test says.

Who asks is the test's to say (`Known`), since signing in has tests of its own; all the rest is real: the
application, the ledger on SQLite or any other, the store.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from bedside.config import load
from bedside.domain.person import Person, PersonRole, Post
from bedside.portal.access.caller import Caller, Means
from bedside.portal.app import create_app
from bedside.wiring import Deployment, open_deployment

CSRF = "csrf-of-tests"
SETTINGS = """
[system]
root = "data"
tenants = ["default", "ward-3"]

[portal]
listen = ""
"""


def person(*posts: tuple[PersonRole, str], subject: str = "p-1") -> Person:
    """Return somebody with roles at nodes, e.g. ``(PersonRole.VIEWER, "default")``."""
    return Person(subject=subject, posts=tuple(Post(role=role, node=node) for role, node in posts))


CLINICIAN = person((PersonRole.CLINICIAN, "default"))
VIEWER = person((PersonRole.VIEWER, "default"))
ENGINEER = person((PersonRole.ENGINEER, ""))
ADMIN = person((PersonRole.ADMIN, ""))


@dataclass
class Known:
    """A gate that knows one person, as signed in by a browser; None knows nobody."""

    person: Person | None = CLINICIAN
    means: Means = Means.SESSION
    language: str = "en"

    def caller(self, connection: HTTPConnection) -> Caller | None:
        """Return who asks."""
        if self.person is None:
            return None
        csrf = CSRF if self.means is Means.SESSION else ""
        return Caller(person=self.person, name="Pat", means=self.means, csrf=csrf, language=self.language)


@dataclass
class Site:
    """A portal and who asks it.

    Attributes:
        deployment: What it shows.
        gate: Says who asks; change its `person`.
        client: Asks; sends the token of the session with every request.
    """

    deployment: Deployment
    gate: Known
    client: TestClient = field(repr=False)

    def asks(self, person: Person | None) -> TestClient:
        """Let somebody ask from now on."""
        self.gate.person = person
        return self.client


@contextmanager
def site(folder: Path, settings: str = SETTINGS) -> Iterator[Site]:
    """Open a portal over a deployment in a folder."""
    file = folder / "bedside.toml"
    file.write_text(settings, encoding="utf-8")
    loaded = load(file, environment={}, flags={}).settings
    deployment = open_deployment(loaded)
    gate = Known()
    app = create_app(deployment, gate)
    client = TestClient(
        app, headers={"X-CSRF-Token": CSRF}, follow_redirects=False, raise_server_exceptions=False
    )
    try:
        with client:
            yield Site(deployment=deployment, gate=gate, client=client)
    finally:
        deployment.close()
