"""Following in a real browser: a page moves with the ledger, and says what is new."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from bedside.portal.follow import live
from follow_samples import FAILURE, name, queued, study
from portal_site import Site

pytestmark = pytest.mark.needs("chromium")


def test_a_page_moves_with_its_job_and_says_the_end_aloud(
    portal: Site, served: Callable[[Site], str], page: Page
) -> None:
    ledger, now = portal.deployment.ledger, portal.deployment.clock.now
    arrival = study(ledger, 1, now())
    job = queued(ledger, arrival, now())
    name(portal.deployment, arrival, name="Doe^Jane")
    page.goto(served(portal) + "/t/default/studies")
    row = page.locator(f'[data-job="{job.id}"]')
    expect(row).to_contain_text("waiting")
    expect(page.locator("time.ago").first).to_have_text(re.compile("ago|now|second"))
    lease = ledger.lease(pools=(), worker="w1", now=now(), lease_s=60)
    assert lease is not None
    expect(row).to_contain_text("running")
    ledger.extend(lease, now=now(), lease_s=60, progress=0.5, doing="forward")
    expect(row).to_contain_text("running the network")
    expect(row.locator("progress")).to_have_attribute("value", "0.500")
    assert page.locator("#said").text_content() == ""  # progress is shown, and not read out
    ledger.fail(lease, FAILURE, now=now(), retry_at=None)
    expect(row).to_contain_text("child ended with status 139")
    expect(page.locator("#said")).to_have_text(f"Job {job.id[:8]}: failed")
    expect(page.locator("#news")).to_be_visible()
    page.get_by_role("link", name="There is something new").click()
    expect(page.locator("#news")).to_be_hidden()
    page.get_by_role("link", name="spleen").click()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status").first).to_contain_text("waits for a worker")
    page.get_by_text("Cancel", exact=True).first.press("Enter")  # by keyboard, and asked before it is done
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(page.locator(f'[data-job="{job.id}"]')).to_contain_text("cancelled")


def test_a_page_says_when_its_session_ended_and_when_a_study_came(
    portal: Site, served: Callable[[Site], str], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CHECK_S", 0.2)
    ledger, now = portal.deployment.ledger, portal.deployment.clock.now
    page.goto(served(portal) + "/t/default/studies")
    expect(page.locator("#news")).to_be_hidden()
    queued(ledger, study(ledger, 1, now()), now())
    expect(page.locator("#news")).to_contain_text("something new")
    portal.gate.person = None
    expect(page.locator("#news")).to_contain_text("no longer signed in")
