"""What operators do in a real browser: rules tried on a file, figures kept fresh."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from dicom_samples import series
from ledger_samples import make_arrival
from operate_samples import work_on
from portal_site import ENGINEER, SETTINGS, Site, site

pytestmark = pytest.mark.needs("chromium")
MORE = """
[notify]
log = true

[[pipeline]]
name = "spleen"
bundle = "nothing.zip"

[[rule]]
name = "thin CT"
pipeline = "spleen"
when = "Modality == 'CT' and SliceThickness <= 5"
"""


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path, SETTINGS + MORE) as opened:
        opened.asks(ENGINEER)
        yield opened


def test_rules_are_tried_on_a_file_whose_name_stays_here(
    portal: Site, served: Callable[[Site], str], page: Page, tmp_path: Path
) -> None:
    sent: list[bytes] = []

    def heard(request: Request) -> None:
        if request.method == "POST":
            sent.append(request.post_data_buffer or b"")

    file = series(tmp_path, SliceThickness=7.5)[0].rename(tmp_path / "DOE JANE.dcm")
    page.goto(served(portal) + "/operate/rules")
    page.on("request", heard)
    page.get_by_label("A DICOM file").set_input_files(file)
    page.get_by_role("button", name="Try", exact=True).click()
    verdicts = page.get_by_role("region", name="What the rules say")
    expect(verdicts).to_contain_text("does not match")
    expect(verdicts.get_by_role("listitem").nth(1)).to_contain_text("SliceThickness <= 5 it is 7.5")
    assert len(sent) == 1 and b"DOE JANE" not in sent[0]
    page.get_by_role("textbox", name="Rules as you would have them").fill("[[rule]]\nname = 'x'\n")
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("rule 1: pipeline: Field required")
    assert page.url.endswith("/operate/rules"), sent


def test_a_replay_is_begun_and_watched_to_its_end(
    portal: Site, served: Callable[[Site], str], page: Page
) -> None:
    arrival = portal.deployment.ledger.add_arrival(make_arrival(1, tenant="default"))
    page.goto(served(portal) + "/operate/rules")
    page.get_by_role("button", name="Replay").click()
    expect(page.get_by_role("heading", name="Done")).to_be_visible()
    row = page.get_by_role("row").filter(has_text=arrival.id[:12])
    expect(row).to_contain_text("cannot be read")  # its files were never there
    with page.expect_download() as download:
        page.get_by_role("link", name="All as CSV").click()
    assert arrival.id in Path(download.value.path()).read_text()


def test_a_dashboard_that_is_made_again_keeps_what_is_open(
    portal: Site, served: Callable[[Site], str], page: Page
) -> None:
    work_on(portal.deployment)
    page.goto(served(portal) + "/operate")
    table = page.locator("#by-hour-table")
    table.get_by_text("As a table").click()
    page.evaluate("document.getElementById('overview').dataset.old = 'yes'")
    with page.expect_response(lambda answer: answer.url.endswith("/operate")):
        page.evaluate(
            "htmx.trigger('#overview', 'htmx:abort'); htmx.ajax('GET', '/operate', "
            "{source: '#overview', target: '#overview', select: '#overview', swap: 'outerHTML'})"
        )
    expect(page.locator("#overview[data-old]")).to_have_count(0)
    expect(table).to_have_attribute("open", "")
