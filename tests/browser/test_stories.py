"""The whole of it as people live it: `bedside serve`, a browser and nothing else.

An administrator makes the first account, a department and an invitation; a clinician comes in by it, sends a
folder through a line that breaks, watches it being read by a real model, looks at the result, accepts it and
takes it away; the administrator finds all of that in the audit trail.

It is lived twice: on one machine with its folders, and as on AWS, where one machine answers browsers and
another one reads, with nothing between them but a bucket, a queue and PostgreSQL.
"""

import os
import re
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bedside.phantom import make_phantom
from bedside.phantom.study import write_study
from portal_results import SEED, SHAPE, SPACING_MM
from story_deployments import Running, on_aws, on_folders

pytestmark = pytest.mark.needs("chromium")

PASSWORD = "seven green herons wading"  # pragma: allowlist secret
DEPARTMENT = "hospital/ct"
#: A model is loaded and run, on a machine that does other things too.
READ_MS = 120_000

#: Pixels of the overlay: in the spleen's colour, of which green is the least.
COLOURED = """
(canvas) => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  const data = copy.getImageData(0, 0, canvas.width, canvas.height).data;
  let left = 0, right = 0;
  for (let at = 0, n = 0; at < data.length; at += 4, n += 1) {
    if (data[at] > data[at + 1] + 18 && data[at + 2] > data[at + 1] + 18) {
      if (n % canvas.width < canvas.width / 2) left += 1; else right += 1;
    }
  }
  return {left, right};
}
"""


@pytest.fixture(params=["folders", pytest.param("aws", marks=pytest.mark.needs("initdb", "pg_ctl"))])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """An empty deployment."""
    if request.param == "folders":
        with on_folders(tmp_path) as started:
            yield started
    else:
        with on_aws(tmp_path, request.getfixturevalue("postgres")) as started:
            yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study as a clinician has it on a disk, with a file of another kind so that it takes some parts."""
    made = tmp_path / "Export for Dr Rao"
    write_study(made / "CT", make_phantom(SEED, shape=SHAPE, spacing_mm=SPACING_MM), seed=SEED)
    (made / "report.bin").write_bytes(os.urandom(40_000_000))
    return made


def someone(browser: Browser, url: str) -> tuple[BrowserContext, Page]:
    """Open a browser of one's own."""
    context = browser.new_context(locale="en-GB", base_url=url, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(20_000)
    return context, page


def make_account(page: Page, name: str, email: str = "") -> None:
    page.get_by_label("Name", exact=True).fill(name)
    if email:
        page.locator("#email").fill(email)
    page.locator("#password").fill(PASSWORD)
    page.locator("#again").fill(PASSWORD)
    page.locator("main form button").last.click()


def invite(page: Page, email: str) -> str:
    """Invite a clinician, and return the link to give to them."""
    page.goto("/admin/people/invite")
    page.locator("#email").fill(email)
    page.locator("input[name=role][value=clinician]").check()
    page.locator("#node").select_option(label=DEPARTMENT)
    page.locator("main form button").last.click()
    return page.locator("#link").inner_text()


def send(running: Running, context: BrowserContext, page: Page, folder: Path) -> None:
    """Send a folder; the line is cut after the first part and comes back."""
    page.goto("/t/hospital.ct/upload")
    parts: list[str] = []
    page.on("requestfinished", lambda sent: parts.append(sent.url) if sent.method == "PUT" else None)
    page.set_input_files("#folder", folder)
    give_up = time.monotonic() + 30
    while not parts:
        assert time.monotonic() < give_up
        page.wait_for_timeout(20)
    context.set_offline(True)
    page.wait_for_timeout(800)
    before = len(parts)
    expect(page.locator("#sending")).to_be_visible()
    context.set_offline(False)
    expect(page.locator("#sending")).to_be_hidden(timeout=60_000)
    assert before < len(parts), "parts came after the line was back"
    assert all(url.startswith(running.takes_parts) for url in parts), parts
    assert not any("Rao" in url for url in parts)


def test_from_an_empty_machine_to_a_result_that_was_accepted(
    running: Running, folder: Path, browser: Browser, tmp_path: Path
) -> None:
    admins, admin = someone(browser, running.url)
    admin.goto(running.first)
    make_account(admin, "Ada Admin", "ada@hospital.example")
    admin.goto("/admin/tenants")
    admin.locator("#name").fill(DEPARTMENT)
    admin.locator("main form button").last.click()
    expect(admin.locator("main")).to_contain_text(DEPARTMENT)
    link = invite(admin, "cleo@hospital.example")

    clinicians, clinician = someone(browser, running.url)
    clinician.goto(link)
    make_account(clinician, "Cleo Clinician")
    clinician.goto("/")
    expect(clinician.locator("main")).to_contain_text(DEPARTMENT)
    assert clinician.goto("/admin/people").status == 403  # type: ignore[union-attr]

    send(running, clinicians, clinician, folder)
    result = clinician.locator("#list .jobs a[href*='/results/']")
    expect(result).to_be_visible(timeout=READ_MS)
    result.click()
    clinician.wait_for_selector('#viewer[data-loaded="whole"]')
    clinician.wait_for_timeout(100)
    coloured = clinician.locator(".axial canvas").evaluate(COLOURED)
    assert coloured["right"] > 300 and coloured["left"] < 30, "the spleen is on the patient's left"

    clinician.get_by_role("button", name="Accept", exact=True).click()
    expect(clinician.locator("#judging .notice.good")).to_contain_text("Accepted")
    with clinician.expect_download() as download:
        clinician.get_by_role("link", name="Download all (ZIP)").first.click()
    download.value.save_as(tmp_path / "result.zip")
    with zipfile.ZipFile(tmp_path / "result.zip") as taken:
        names = {name.partition("/")[2] for name in taken.namelist()}
        assert {"dicom/seg.dcm", "dicom/sr.dcm", "preview.png", "result.json"} <= names
        with taken.open(next(n for n in taken.namelist() if n.endswith("seg.dcm"))) as file:
            assert pydicom.dcmread(file).Modality == "SEG"

    admin.goto("/audit")
    told = admin.locator("main").inner_text()
    for action in ("result.viewed", "result.judged", "result.downloaded"):
        assert action in told, action
    assert "Rao" not in told, "no name of a file"
    words = running.words()
    assert "Rao" not in words and "SYNTHETIC" not in words and PASSWORD not in words
    admin.get_by_role("button", name="Sign out").click()
    admin.goto("/audit")
    expect(admin).to_have_url(re.compile("/sign-in"))
    admins.close()
    clinicians.close()
    running.look_behind()
