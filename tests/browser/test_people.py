"""From the printed link to a clinician who signs in, by keyboard alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from portal_accounts import PASSWORD, Clinic, clinic, post
from portal_serving import serving

pytestmark = pytest.mark.needs("chromium")

OTHER = "nine brown otters diving"  # pragma: allowlist secret
SETTINGS = """
[system]
root = "data"
tenants = ["h.ct", "h.mr"]

[portal]
listen = ""
sign_up = true
"""


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Clinic]:
    with clinic(tmp_path, SETTINGS) as opened:
        yield opened


@pytest.fixture
def address(ward: Clinic) -> Iterator[str]:
    with serving(ward.app) as at:
        yield at


def sign_in(page: Page, address: str, name: str, password: str = PASSWORD) -> None:
    page.goto(f"{address}/sign-in")
    page.get_by_label("E-mail address").fill(f"{name}@ward.example")
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/")


def test_the_first_administrator_lets_a_clinician_in_by_keyboard_alone(
    ward: Clinic, address: str, page: Page
) -> None:
    page.goto(f"{address}/first/{ward.people.invitations.first()}")
    page.locator("#name").focus()
    for text in ("Ana", "ana@ward.example", PASSWORD, PASSWORD):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Make my account"
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/")
    page.get_by_role("link", name="People").click()
    page.get_by_role("link", name="Invite somebody").click()
    page.get_by_label("Their e-mail address").fill("bo@ward.example")
    page.get_by_label("Where").select_option("h.ct")
    page.get_by_role("button", name="Make the invitation").click()
    link = page.locator("#link").inner_text()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    page.goto(address + link[link.index("/join/") :])
    page.get_by_label("Name").fill("Bo")
    page.get_by_label("New password", exact=True).fill(OTHER)
    page.get_by_label("New password, again").fill(OTHER)
    page.get_by_role("button", name="Make my account").click()
    page.wait_for_url(f"{address}/")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in**")
    sign_in(page, address, "bo", OTHER)
    expect(page.get_by_role("link", name="h/ct")).to_be_visible()
    expect(page.get_by_role("link", name="People")).to_have_count(0)


def test_what_is_wrong_is_read_out_with_its_field(ward: Clinic, address: str, page: Page) -> None:
    page.goto(f"{address}/first/{ward.people.invitations.first()}")
    page.get_by_label("Name").fill("Ana")
    page.get_by_label("E-mail address").fill("ana@ward.example")
    page.get_by_label("New password", exact=True).fill("passwordpassword")
    page.get_by_label("New password, again").fill("passwordpassword")
    page.get_by_role("button", name="Make my account").click()
    field = page.get_by_label("New password", exact=True)
    expect(field).to_have_accessible_description(
        "Very many people choose this one, so it is guessed first. Choose another. "
        "12 characters or more; a few words that do not belong together are best."
    )
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Name")).to_have_value("Ana")


def test_a_token_is_made_and_used_and_a_browser_is_signed_out_from_elsewhere(
    ward: Clinic, address: str, page: Page
) -> None:
    ward.account("bo", post("clinician", "h"))
    sign_in(page, address, "bo")
    page.goto(f"{address}/me")
    page.locator("#token_name").fill("nightly")
    page.get_by_label("See studies and results").check()
    page.get_by_role("button", name="Make a token").click()
    secret = page.locator("#secret").inner_text()
    got = page.request.get(
        f"{address}/api/v1/me", headers={"Authorization": f"Bearer {secret}", "Cookie": ""}
    )
    assert got.json()["rights"] == {"read": ["h"]}
    other = ward.sign_in("bo")
    page.reload()
    page.get_by_role("button", name="Sign out all others").click()
    expect(page.get_by_role("status")).to_have_text("All other browsers are signed out.")
    assert other.get("/me").status_code == 303
