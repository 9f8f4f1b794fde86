"""Who may do what: every route of the portal, asked by every role, at home, from above, and from next door.

What is expected comes from the need that a route declares (`portal/access/need.py`), never from a list kept
here: a route that declares none fails, unless it is one of those few that are for anybody.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from bedside.domain.person import Person, PersonRole, Right
from bedside.portal.access.caller import Means
from bedside.portal.access.need import SAFE
from clouds import Cloud
from portal_routes import PUBLIC, need_of, routes
from portal_site import CSRF, Site, person, site
from services import PostgresServer

HOME, ABOVE, NEXT_DOOR = "hospital.ct", "hospital", "hospital.mr"
SETTINGS = f"""
[system]
root = "data"
tenants = ["{HOME}", "{NEXT_DOOR}"]

[portal]
listen = ""
"""
#: Answers that never end; who is let in there is a test of its own area.
ENDLESS = {"/api/v1/tenants/{tenant}/events"}
#: For parameters of paths: things that are not there. Numbers where numbers are asked for.
GIVEN = {"tenant": HOME, "node": HOME, "language": "en", "plane": "axial", "kind": "volume", "path": "a.json"}
NUMBERS = {"number", "level", "slab", "index", "frame_list"}


@dataclass(frozen=True, kw_only=True)
class Door:
    """One route with one method, and what it declares."""

    method: str
    path: str
    need: str
    rights: frozenset[Right]

    @property
    def address(self) -> str:
        def given(found: "re.Match[str]") -> str:
            name = found[1].partition(":")[0]
            return GIVEN.get(name, "1" if name in NUMBERS else "1.2.3")

        return re.sub(r"\{([^}]+)\}", given, self.path)

    def lets_in(self, asking: Person | None) -> bool:
        """Whether whoever asks has what is needed at `HOME`."""
        if self.need == "nothing":
            return True
        if asking is None:
            return False
        held = [post for post in asking.posts if post.rights & self.rights]
        if self.need == "somewhere":
            return bool(held)
        if self.need == "root":
            return any(not post.node for post in held)
        return self.need == "somebody" or any(asking.may(right, HOME) for right in self.rights)


def doors() -> list[Door]:
    found = []
    for route in routes():
        need, rights = need_of(route)
        found += [
            Door(method=method, path=route.path, need=need, rights=rights) for method in sorted(route.methods)
        ]
    return found


DOORS = doors()
PEOPLE: dict[str, Person | None] = {"nobody": None, "without a role": person()}
for _role in PersonRole:
    for _place, _node in {"home": HOME, "above": ABOVE, "next door": NEXT_DOOR, "root": ""}.items():
        PEOPLE[f"{_role} {_place}"] = person((_role, _node))
#: Tokens that were narrowed: to reading; to one's neighbours; to nothing that they had.
_ALL = person(*((role, "") for role in PersonRole))
PEOPLE["token to read"] = _ALL.narrowed([Right.READ], [])
PEOPLE["token for next door"] = _ALL.narrowed([], [NEXT_DOOR])
PEOPLE["token to operate at home"] = _ALL.narrowed([Right.OPERATE], [HOME])
#: Over AWS's adapters: every role at home and next door. Those above differ from these by the tree alone.
AWS_ASKED = ("nobody", "admin root", *(f"{role} {at}" for role in PersonRole for at in ("home", "next door")))


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("matrix")
    with site(folder, SETTINGS) as opened:
        yield opened


def answers(portal: Site, asked: list[tuple[str, str]], **headers: str) -> list[httpx.Response]:
    """Ask many things at once: each is answered on its own."""
    app = portal.client.app
    assert isinstance(app, FastAPI)

    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return [await client.request(method, address, headers=headers) for method, address in asked]

    return asyncio.run(all_of_them())


def is_refused(answer: httpx.Response, asking: Person | None) -> bool:
    if asking is not None:
        return answer.status_code == 403
    to_sign_in = answer.headers.get("location", "").startswith("/sign-in")
    return answer.status_code == 401 or (answer.status_code == 303 and to_sign_in)


def test_every_route_declares_its_need() -> None:
    assert [door for door in DOORS if door.need == "undeclared"] == []
    assert {door.path for door in DOORS} >= PUBLIC | ENDLESS, "a public route that is gone"
    assert len(DOORS) > 150


def test_what_is_for_anybody_is_a_short_list() -> None:
    links = r"(/api/v1)?(/(join|recover)(/\{token\})?|/first/\{token\})"
    links += "|/api/v1/tokens"  # by all that signing in takes
    ways = rf"/sign-in|/sign-out|/sign-in/oidc/callback|{links}"
    others = {door.path for door in DOORS if door.need == "nothing" and not re.fullmatch(ways, door.path)}
    assert others == PUBLIC


def test_besides_routes_there_are_only_files_that_say_nothing(hospital: Site) -> None:
    app = hospital.client.app
    assert isinstance(app, FastAPI)
    paths = {path for route in app.routes if (path := getattr(route, "path", ""))}
    assert paths == {"/api/openapi.json", "/static", "/vendor", "/ohif/-"}


@pytest.mark.parametrize("who", PEOPLE)
def test_each_is_let_in_where_they_may_and_nowhere_else(hospital: Site, who: str) -> None:
    assert wrongly_answered(hospital, PEOPLE[who]) == []


@pytest.mark.needs("initdb", "pg_ctl")
def test_over_a_bucket_and_postgresql_it_is_the_same(
    tmp_path: Path, cloud: Cloud, postgres: PostgresServer
) -> None:
    places = f'[store]\nurl = "s3://{cloud.bucket()}"\n[ledger]\nurl = "{postgres.database()}"\n'
    with site(tmp_path, SETTINGS + places) as opened:
        for who in AWS_ASKED:
            assert wrongly_answered(opened, PEOPLE[who]) == [], who


def wrongly_answered(portal: Site, asking: Person | None) -> list[tuple[str, str, int, str]]:
    """Return what was refused to whom it is open, let in whom it is not, or broke.

    Asked as by a browser: a few changes of one's own account are made by no token at all.
    """
    portal.gate.person, portal.gate.means = asking, Means.SESSION
    asked = [
        door
        for door in DOORS
        if not (door.path in ENDLESS and door.lets_in(asking)) and door.need != "nothing"
    ]
    given = answers(portal, [(door.method, door.address) for door in asked], **{"X-CSRF-Token": CSRF})
    return [
        (door.method, door.path, answer.status_code, answer.text[:200])
        for door, answer in zip(asked, given, strict=True)
        if answer.status_code >= 500 or is_refused(answer, asking) is door.lets_in(asking)
    ]


def test_a_tenant_that_is_not_there_is_not_told_from_one_next_door(hospital: Site) -> None:
    hospital.gate.person, hospital.gate.means = person((PersonRole.CLINICIAN, HOME)), Means.TOKEN
    there = [door for door in DOORS if "{tenant}" in door.path]
    for other in (NEXT_DOOR, "hospital.none", "..", "x y"):
        given = answers(hospital, [(door.method, door.address.replace(HOME, other)) for door in there])
        assert {answer.status_code for answer in given} <= {403, 404, 405}, other
        said = {re.sub(r"hospital/\w+", "…", answer.text) for answer in given if answer.status_code == 403}
        assert all(other.replace(".", "/") not in text for text in said)


def test_no_change_is_taken_from_a_browser_without_its_sessions_token(hospital: Site) -> None:
    hospital.gate.person, hospital.gate.means = _ALL, Means.SESSION
    changing = [door for door in DOORS if door.method not in SAFE and door.need != "nothing"]
    assert len(changing) > 50
    given = answers(hospital, [(door.method, door.address) for door in changing])
    open_ones = [door for door, answer in zip(changing, given, strict=True) if answer.status_code != 403]
    assert open_ones == []
