"""Every page of the portal, under axe and on a phone: whatever is added is looked at here by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from portal_accounts import post
from portal_filled import EMAIL, PASSWORD, filled, pages
from portal_results import TENANT, Made
from portal_serving import serving

pytestmark = pytest.mark.needs("chromium", "axe-core")

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
CHECK = """
axe.run({resultTypes: ["violations"]})
  .then((r) => r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`))
"""
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass
class Open:
    """The portal's address and the addresses of its pages, by their routes."""

    url: str
    pages: dict[str, str]


@pytest.fixture(scope="module")
def opened(made_result: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    with filled(made_result, tmp_path_factory.mktemp("filled")) as clinic, serving(clinic.app) as url:
        people = clinic.people
        _, invitation = people.invitations.invite("new@ward.example", [post("viewer", TENANT)], by=None)
        lin = people.accounts.by_email("lin@ward.example")
        assert lin is not None
        yield Open(url=url, pages=dict(pages(made_result, account=lin.id, invitation=invitation)))


def look(opened: Open, browser: Browser, *, width: int, scheme: str, language: str) -> list[str]:
    """Open every page as somebody who may all; return what is wrong with each."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, locale=language, base_url=opened.url
    )
    page = context.new_page()
    public = [path for path in ("/sign-in", "/recover", "/join/{token}") if path in opened.pages]
    found = [problem for path in public for problem in at(page, opened.pages[path], language)]
    page.goto("/sign-in")
    page.locator("#email").fill(EMAIL)
    page.locator("#password").fill(PASSWORD)
    page.locator("main form button").first.click()
    page.wait_for_url(opened.url + "/")
    for path, address in opened.pages.items():
        if path not in public:
            found += at(page, address, language)
    found += [f"404: {problem}" for problem in at(page, "/nothing", language, status=404)]
    page.goto("/operate/releases")  # what asks before it does, and what answers a form
    page.locator("main details:has(form) > summary").first.click()
    page.locator("main form button").first.click()
    page.wait_for_selector("main .actions a")
    found += seen(page, language)
    page.goto("/admin/people/invite")
    page.locator("#email").fill(f"{language}@ward.example")
    page.locator("input[name=role]").first.check()
    page.locator("main form button").last.click()
    page.wait_for_selector("#link")
    found += seen(page, language)
    context.close()
    return found


def at(page: Page, address: str, language: str, *, status: int = 200) -> list[str]:
    answer = page.goto(address)
    assert answer is not None and answer.status == status, f"{address}: {answer and answer.status}"
    return seen(page, language)


def seen(page: Page, language: str) -> list[str]:
    """Return what is wrong with the page that is open."""
    address = urlsplit(page.url).path
    for closed in page.locator("details:not([open]) > summary").all():
        if closed.is_visible():
            closed.click()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    wrong = [f"{address}: {said}" for said in page.evaluate(CHECK)]
    wide = page.evaluate(TOO_WIDE)
    if wide > 0:
        wrong.append(f"{address}: {wide} pixels too wide")
    spoken = page.locator("html").get_attribute("lang")
    if spoken != language:
        wrong.append(f"{address}: speaks {spoken}")
    return wrong


def test_every_page_is_for_everybody(opened: Open, browser: Browser) -> None:
    problems = look(opened, browser, width=1280, scheme="light", language="en")
    assert not problems, "\n".join(problems)


def test_every_page_fits_a_phone_in_the_dark_and_in_spanish(opened: Open, browser: Browser) -> None:
    problems = look(opened, browser, width=390, scheme="dark", language="es")
    assert not problems, "\n".join(problems)
