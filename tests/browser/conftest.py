"""A real portal on 127.0.0.1 and a real browser for the tests of this folder.

A test opens a site (`portal` is empty, `results` holds a study that was read), says who asks, and lets
`served` answer for it; `page` is a tab of its own, without cookies. What a page throws, and what its own
policy forbids it, fails the test.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect, sync_playwright

from portal_results import made_result, read_only, results  # noqa: F401  # fixtures
from portal_serving import FLAGS, serving
from portal_site import Site, site

#: Longer than the slowest answer on a busy machine, in milliseconds.
PATIENCE_MS = 45_000

#: OHIF says so of itself where a page is left while it draws; nothing of ours can mend it.
THEIRS = "The stack viewport has been destroyed and is no longer usable"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Site]:
    """A portal over an empty deployment, asked by a clinician of tenant ``default``."""
    with site(tmp_path) as opened:
        yield opened


@pytest.fixture
def served() -> Iterator[Callable[[Site], str]]:
    """Answer for a site in a thread: ``served(portal)`` gives its address, e.g. http://127.0.0.1:40123."""
    with ExitStack() as stack:
        yield lambda opened: stack.enter_context(serving(opened.client.app))


# Not for the whole session: while Playwright runs, no other test of this process may run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, one for all tests of a file."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("chromium not found in PATH; .ci/run lists the Debian packages")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of its own; errors in its scripts, and what the policy of a page forbids it, fail the test."""
    wrong: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            wrong.append(message.text)

    def threw(error: Error) -> None:
        if THEIRS not in error.message:
            wrong.append(f"{error.name}: {error.message}")

    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    tab = context.new_page()
    tab.on("pageerror", threw)
    tab.on("console", heard)
    yield tab
    context.close()
    assert wrong == []
