"""What a note of the portal keeps: who, from where, what, and the same in the log."""

import pytest
from fastapi import APIRouter, FastAPI
from starlette.testclient import TestClient

from bedside.config.portal import KeptAddress
from bedside.domain.audit import checked
from bedside.portal.access.need import Somebody
from bedside.portal.access.origin import trimmed
from bedside.portal.access.trail import note
from bedside.portal.here import InHere
from bedside.ports.audit import AuditFilter
from portal_site import CSRF, Site

router = APIRouter()


@router.post("/noted")
def noted(here: InHere, caller: Somebody) -> None:
    note(
        here, caller, "thing.changed", tenant="default", object="x-1", detail={"person": "not me", "to": "2"}
    )
    note(here, None, "session.refused")


def test_a_note_says_who_where_and_what_in_the_trail_and_in_the_log(portal: Site) -> None:
    app = portal.client.app
    assert isinstance(app, FastAPI)
    app.include_router(router)
    lines: list[dict[str, object]] = []
    portal.deployment.log = lambda action, /, **fields: lines.append({"action": action, **fields})
    client = TestClient(app, headers={"X-CSRF-Token": CSRF}, client=("10.1.2.3", 5000))
    assert client.post("/noted").status_code == 200
    refused, changed = portal.deployment.records.audit.records(AuditFilter())
    deed = changed.deed
    assert (deed.person, deed.address, deed.action) == ("p-1", "10.1.2.0/24", "thing.changed")
    assert (deed.tenant, deed.object, deed.detail) == ("default", "x-1", {"person": "not me", "to": "2"})
    assert abs((portal.deployment.clock.now() - deed.at).total_seconds()) < 60
    assert (refused.deed.person, refused.deed.action) == ("", "session.refused")
    assert lines[0]["person"] == "p-1" and lines[0]["audit"] == f"1:{changed.hash}"
    assert checked(portal.deployment.records.audit.walk(AuditFilter())).checked == 2


@pytest.mark.parametrize(
    ("address", "kept", "written"),
    [
        ("10.1.2.3", KeptAddress.NETWORK, "10.1.2.0/24"),
        ("::ffff:10.1.2.3", KeptAddress.NETWORK, "10.1.2.0/24"),
        ("2001:db8:1:2::3", KeptAddress.NETWORK, "2001:db8:1::/48"),
        ("10.1.2.3", KeptAddress.FULL, "10.1.2.3"),
        ("10.1.2.3", KeptAddress.NONE, ""),
        ("testclient", KeptAddress.FULL, ""),
    ],
)
def test_of_an_address_only_so_much_is_kept(address: str, kept: KeptAddress, written: str) -> None:
    assert trimmed(address, kept) == written
