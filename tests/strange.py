"""Strange things in addresses and forms of the portal's pages, and what must not come of them.

Each page is asked with each strange value in each part of its path, each parameter and each field, the others
as they are meant: nothing may break (5xx), come back as a part of the page, set a cookie or lead elsewhere.
"""

import asyncio
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
from portal_accounts import PASSWORD, Clinic, post
from portal_filled import EVERYTHING, is_for_people
from portal_results import TENANT, Made
from portal_site import CSRF

SCRIPT = "\"'><script>alert(1)</script>' OR 1=1 -- %_{{7*7}}%s{0.__class__}"
#: Bytes as they stand in an address or a form; by what is strange with them.
VALUES: Mapping[str, bytes] = {
    "nothing": b"",
    "an end of a string": b"a%00b",
    "no UTF-8": b"%ff%fe%80",
    "half a pair": b"%ed%a0%80",
    "another plane": b"%f0%9f%a9%bb%e2%80%ae",
    "a line of its own": b"x%0d%0aSet-Cookie:%20a=b",
    "a script": quote(SCRIPT).encode(),
    "another folder": b"..%2f..%2fetc%2fpasswd",
    "another's address": b"//elsewhere.example/%5c",
    "below nothing": b"-1",
    "more than any number": b"9" * 40,
    "as much as a number may be": b"9223372036854775807",
    "no number": b"NaN",
    "infinite": b"1e400",
    "digits of others": quote("٣²½").encode(),
    "no day": b"0000-13-45T99:99",
    "after all days": b"9999-12-31T23:59:59%2b23:59",
    "very long": b"%e2%82%ac" * 3000,
    "many": b"1&{name}=2&{name}[]=3&{name}=",
}
#: What databases and stores mind each in their own way.
MINDED = ("an end of a string", "no UTF-8", "half a pair", "as much as a number may be", "very long")
#: Forms that are none, with their types.
BODIES: Sequence[tuple[str, bytes]] = (
    ("application/x-www-form-urlencoded", b""),
    ("application/x-www-form-urlencoded", b"&&=&=%&%zz=%&\xff\x00=\xfe"),
    ("application/x-www-form-urlencoded", b"&".join(b"f%d=1" % n for n in range(1500))),
    ("multipart/form-data", b"--b\r\n"),
    ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"),
    ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="email"'),
    ("multipart/form-data; boundary=" + "b" * 300, b"--b--"),
    ("application/json", b'{"email": ["\\ud800"]}'),
    ("text/plain; charset=no-such", b"\x00"),
    ("", b"x"),
)
#: What else has to be there, so that more than the first field is looked at.
MEANT = {
    "email": "new@x.example",
    "password": PASSWORD,
    "again": PASSWORD,
    "current": PASSWORD,
    "name": "Pat",
    "role": "viewer",
    "node": TENANT,
    "token_name": "t",
    "days": "7",
    "rights": "read",
    "nodes": TENANT,
    "priority": "0",
    "verdict": "rejected",
    "reason": "border",
    "comment": "x",
    "pipeline": "spleen",
    "limit": "10",
    "code": "123456",
    "stage": "spleen",
    "release": "sha256:" + "0" * 64,
    "above": "",
    "act": "promote",
    "percent": "10",
    "rules": '[[rule]]\nname = "r"\npipeline = "spleen"\nwhen = "Modality == \'CT\'"\n',
    "attributes": "Modality=CT",
    "channel": "mail",
    "ending": "close",
    "tenant": TENANT,
    "format": "csv",
}
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

    def request(self, client: httpx.AsyncClient) -> httpx.Request:
        headers = {} if self.form is None else {"X-CSRF-Token": CSRF, "Content-Type": self.kind}
        method = "GET" if self.form is None else "POST"
        made = client.build_request(method, "/", headers=headers, content=self.form)
        made.url = made.url.copy_with(raw_path=self.target)
        return made

    def __str__(self) -> str:
        return f"{self.target[:200]!r} {(self.form or b'')[:200]!r}"


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

    def ask(self, asked: Sequence[Asked]) -> list[str]:
        """Ask for some things; return what breaks, comes back as a part of a page, or leads elsewhere."""
        found = []
        for one, answer in zip(asked, asyncio.run(self._answers(asked)), strict=True):
            where = answer.headers.get("location", "").partition("?")[0]
            wrong = (
                ("broken", answer.status_code >= 500),
                ("told back", "<script>alert" in answer.text),
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
            for value in self.values.values():
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
