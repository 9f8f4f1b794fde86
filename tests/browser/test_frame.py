"""The frame of every page in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from portal_site import Site

pytestmark = pytest.mark.needs("chromium")


def test_a_page_opens_and_asks_nothing_of_any_other_host(
    portal: Site, served: Callable[[Site], str], page: Page
) -> None:
    address = served(portal)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("Where would you like to work?")
    assert asked and all(url.startswith(address) for url in asked)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
