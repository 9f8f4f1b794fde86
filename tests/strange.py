"""Strange things in addresses and forms of the portal's pages, and what must not come of them.

Each page is asked with each strange value in each part of its path, each parameter and each field, the others
as they are meant: nothing may break (5xx), come back as a part of the page, set a cookie or lead elsewhere.
"""

import asyncio
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from urllib.parse import quote

import httpx
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection

from bedside.domain.account import Account
from bedside.domain.person import Person
from bedside.people.attempts import Attempts
from bedside.portal.access.caller import Caller, Means
from bedside.portal.app import ROUTERS, create_app
from portal_accounts import Clinic, post
from portal_filled import EVERYTHING, is_for_people
from portal_results import TENANT, Made
from portal_site import CSRF
from strange_things import BODIES, HEADER_VALUES, HEADERS, IN_PATHS, MEANT, VALUES

#: Answers that are large, of which one is as good as another.
MAY_BE_LONG = {"/api/v1/tenants/{tenant}/results/{job_id}/archive.zip"}
#: Parts of a path.
HOLE = r"\{(\w+)(?::\w+)?\}"


@dataclass(frozen=True)
class Doorkeeper:
    """Knows one person with everything they may, whatever becomes of their session."""

    account: Account

    def caller(self, _: HTTPConnection) -> Caller:
        """Return who asks."""
        person = Person(subject=self.account.id, posts=EVERYTHING)
        means = {"means": Means.SESSION, "csrf": CSRF, "credential": "s-1"}
        return Caller(person=person, name="Rao", account=self.account.id, **means)


@dataclass(frozen=True)
class Asked:
    """One request: an address as it goes over the line, and a form where there is one."""

    target: bytes
    form: bytes | None = None
    kind: str = "application/x-www-form-urlencoded"
    header: tuple[str, bytes] | None = None

    def request(self, client: httpx.AsyncClient) -> httpx.Request:
        """Return it, for a client to send."""
        headers = {} if self.form is None else {"X-CSRF-Token": CSRF, "Content-Type": self.kind}
        more = {self.header[0]: self.header[1].decode("latin-1")} if self.header else {}
        method = "GET" if self.form is None else "POST"
        raw = [(name, value.encode("latin-1")) for name, value in {**headers, **more}.items()]
        made = client.build_request(method, "/", headers=raw, content=self.form)
        made.url = made.url.copy_with(raw_path=self.target)
        return made

    def __str__(self) -> str:
        return f"{self.target[:200]!r} {(self.form or b'')[:200]!r} {self.header}"


@dataclass
class House:
    """A portal over a day's work, asked by somebody who may everything.

    Attributes:
        opened: Its people and what it shows.
        made: The study that was read.
        values: What is put into addresses and forms.
    """

    opened: Clinic
    made: Made
    values: Mapping[str, bytes] = field(default_factory=lambda: VALUES)

    @cached_property
    def app(self) -> FastAPI:
        """What answers; its doorkeeper knows Rao."""
        return create_app(self.opened.deployment, Doorkeeper(self.account("rao")))

    @cached_property
    def other(self) -> Account:
        """Whom addresses name."""
        return self.account("lin")

    def account(self, name: str) -> Account:
        """Return somebody's account."""
        found = self.opened.people.accounts.by_email(f"{name}@ward.example")
        assert found is not None
        return found

    def meant(self, path: str, name: str) -> str:
        """Return what an address has for a part of its path: what is there, or what is not."""
        if name == "token" and path.startswith("/join/"):  # good for once
            invited = self.opened.people.invitations.invite(
                "new@x.example", [post("viewer", TENANT)], by=None
            )
            return invited[1]
        if name == "token" and path.startswith("/recover/"):
            return self.opened.people.recovery.make(self.other)
        there = {
            "tenant": TENANT,
            "node": TENANT,
            "job_id": self.made.job_id,
            "arrival_id": self.made.arrival_id,
            "account_id": self.other.id,
            "account": self.other.id,
            "language": "es",
            "what": "enable",
        }
        return there.get(name, "1.2.3")

    def address(self, path: str, name: str = "", value: bytes = b"") -> bytes:
        """Return the address of a route, with one part of its path made strange."""

        def part(hole: re.Match[str]) -> str:
            return quote(value, safe="%") if hole[1] == name else self.meant(path, hole[1])

        return re.sub(HOLE, part, path).encode()

    def pages(self, *, also_scripts: bool = False) -> list[str]:
        """Ask for every page; return what was answered wrongly.

        Args:
            also_scripts: And for all that scripts ask for.
        """
        asked = []
        for route in doors("GET", also_scripts=also_scripts):
            asked += [Asked(target=target) for target in self._strange(route)]
            meant = self.address(route.path)
            for name in (*names_of(route.dependant, "query_params"), "nobody-asked"):
                asked += [Asked(target=meant + b"?" + as_query(name, v)) for v in self.values.values()]
        return self.ask(asked)

    def forms(self) -> list[str]:
        """Send every form; return what was answered wrongly."""
        asked = []
        for route in doors("POST"):
            asked += [Asked(target=target, form=b"") for target in self._strange(route)]
            for kind, body in BODIES:
                asked.append(Asked(target=self.address(route.path), form=body, kind=kind))
            names = names_of(route.dependant, "body_params")
            # Searches find by all that is said: what is meant for other forms would find nothing.
            meant = {} if route.path.endswith("/search") else MEANT
            for name in names:
                others = [as_query(n, quote(meant.get(n, "")).encode()) for n in names if n != name]
                for value in self.values.values():
                    body = b"&".join([*others, as_query(name, value)])
                    asked.append(Asked(target=self.address(route.path), form=body))
        return self.ask(asked)

    def headers(self, each: int = 8) -> list[str]:
        """Ask for everything with strange headers, some for each; return what was answered wrongly."""
        every = [(name, value) for name in HEADERS for value in HEADER_VALUES]
        chosen = random.Random(0)
        asked = []
        for method, form in (("GET", None), ("POST", b"")):
            for route in doors(method, also_scripts=True):
                if route.path in MAY_BE_LONG:
                    continue
                target = self.address(route.path)
                asked += [
                    Asked(target=target, form=form, header=header) for header in chosen.sample(every, each)
                ]
        return self.ask(asked)

    def ask(self, asked: Sequence[Asked]) -> list[str]:
        """Ask for some things; return what breaks, comes back as a part of a page, or leads elsewhere."""
        found = []
        for one, answer in zip(asked, asyncio.run(self._answers(asked)), strict=True):
            is_page = answer.headers.get("content-type", "").startswith("text/html")
            where = answer.headers.get("location", "").partition("?")[0]
            wrong = (
                ("broken", answer.status_code >= 500),
                ("told back", is_page and "<script>alert" in answer.text),
                ("a cookie", "set-cookie: a=b" in str(answer.headers).lower()),
                ("sent away", "elsewhere.example" in where),
            )
            found += [f"{said}, {answer.status_code}: {one}" for said, is_so in wrong if is_so]
        assert len(asked) > 50 * len(self.values), "there are many pages"
        return found

    async def _answers(self, asked: Sequence[Asked]) -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            answers = []
            for number, one in enumerate(asked):
                if number % 8 == 0:  # nobody is to be turned away for trying often
                    self.app.state.here = replace(self.app.state.here, attempts=Attempts())
                answers.append(await client.send(one.request(client)))
            return answers

    def _strange(self, route: APIRoute) -> Iterator[bytes]:
        for name in re.findall(HOLE, route.path):
            for kind, value in self.values.items():
                if kind in IN_PATHS:
                    yield self.address(route.path, name, value)


def doors(method: str, *, also_scripts: bool = False) -> list[APIRoute]:
    """Return the routes of pages: what browsers open, or send forms to; streams without an end are none."""
    return [
        route
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        and method in (route.methods or ())
        and (is_for_people(route.path) or (also_scripts and not route.path.endswith("/events")))
    ]


def names_of(dependant: Dependant, kind: str) -> list[str]:
    """Return the names of a route's parameters in its query or its form."""
    own = [one.alias for one in getattr(dependant, kind)]
    return own + [name for below in dependant.dependencies for name in names_of(below, kind)]


def as_query(name: str, value: bytes) -> bytes:
    return name.encode() + b"=" + value.replace(b"{name}", name.encode())
