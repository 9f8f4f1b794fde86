"""Takes the screenshots that README and documentation show, of a real portal with a study that was read.

    .venv/bin/python tools/take_screenshots.py                  # all
    .venv/bin/python tools/take_screenshots.py corrected.png    # this one

Needs Chromium (Debian: `apt-get install chromium`) and the browser code (`tools/browser_assets.py`). The
study is a synthetic phantom: nobody's. A palette makes pictures small, since they lie in the repository.
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from bedside.judging.judge import Sender  # noqa: E402
from portal_accounts import post  # noqa: E402
from portal_corrections import corrected  # noqa: E402
from portal_filled import EMAIL, PASSWORD, filled  # noqa: E402
from portal_results import TENANT, Made, make_with  # noqa: E402
from portal_serving import FLAGS, serving  # noqa: E402

TARGET = ROOT / "docs" / "screens"
#: Finer than that of tests: it is looked at.
SHAPE, SPACING_MM = (80, 192, 192), (2.5, 2.0, 2.0)
WIDTH, HEIGHT = 1280, 860
#: File to (page, colour scheme, width in pixels, what to wait for).
SHOTS = {
    "result.png": ("/t/{tenant}/results/{job}", "light", WIDTH, '#viewer[data-loaded="whole"]'),
    "result-dark.png": ("/t/{tenant}/results/{job}", "dark", WIDTH, '#viewer[data-loaded="whole"]'),
    "result-phone.png": ("/t/{tenant}/results/{job}", "light", 390, '#viewer[data-loaded="whole"]'),
    "studies.png": ("/t/{tenant}/studies", "light", WIDTH, "main"),
    "study.png": ("/t/{tenant}/studies/{arrival}", "light", WIDTH, "main"),
    "upload.png": ("/t/{tenant}/upload", "light", WIDTH, "#drop"),
    "judgements.png": ("/t/{tenant}/judgements", "light", WIDTH, "main"),
    "operate.png": ("/operate", "light", WIDTH, "main"),
    "audit.png": ("/audit", "light", WIDTH, "main"),
}
#: The same after a reviewer corrected the result: its page, with the model's masks as a line.
CORRECTED = "corrected.png"


def shoot(browser: Browser, url: str, made: Made, names: Collection[str]) -> None:
    """Open each page as somebody who may all, and keep its picture."""
    for name in names:
        path, scheme, width, ready = SHOTS.get(name, SHOTS["result.png"])
        context = browser.new_context(
            viewport={"width": width, "height": HEIGHT}, color_scheme=scheme, locale="en", base_url=url
        )
        page = context.new_page()
        sign_in(page)
        page.goto(path.format(tenant=TENANT, job=made.job_id, arrival=made.arrival_id))
        page.wait_for_selector(ready)
        if name == CORRECTED:
            page.locator("#against").select_option("model")
            page.wait_for_selector("#against-legend.drawn")
        page.wait_for_timeout(500)
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        small = picture.quantize(256, dither=Image.Dither.NONE)
        small.save(TARGET / name, optimize=True)
        sys.stderr.write(f"{name}: {(TARGET / name).stat().st_size / 1000:.0f} kB\n")
        context.close()


def mended(mask: NDArray[np.bool_], _frame: int, _segment: int) -> NDArray[np.bool_]:
    """Let a mask grow by three voxels to the patient's left and back, as a reviewer might."""
    grown = mask.copy()
    for step in range(1, 4):
        grown |= np.roll(mask, step, axis=1) | np.roll(mask, step, axis=0)
    return grown


def sign_in(page: Page) -> None:
    """Come in by the page."""
    page.goto("/sign-in")
    page.locator("#email").fill(EMAIL)
    page.locator("#password").fill(PASSWORD)
    page.locator("main form button").first.click()
    page.wait_for_url("**/")


def main() -> None:
    """Make the portal and its pictures."""
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("chromium is not in PATH; Debian: apt-get install chromium")
    wanted = set(sys.argv[1:] or (*SHOTS, CORRECTED))
    if unknown := wanted - {*SHOTS, CORRECTED}:
        raise SystemExit(f"no such picture: {', '.join(sorted(unknown))}")
    TARGET.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        (Path(folder) / "made").mkdir()
        (Path(folder) / "shown").mkdir()
        made = make_with(Path(folder) / "made", shape=SHAPE, affine=None, spacing_mm=SPACING_MM)
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        with filled(made, Path(folder) / "shown") as clinic, serving(clinic.app) as url:
            shoot(browser, url, made, [name for name in SHOTS if name in wanted])
            if CORRECTED in wanted:
                account = clinic.account("nguyen", post("clinician", TENANT))
                job = clinic.deployment.ledger.job(TENANT, made.job_id)
                corrected(clinic.deployment, job, Sender(subject=account.id, name="Lin"), edit=mended)
                shoot(browser, url, made, [CORRECTED])
        browser.close()


if __name__ == "__main__":
    main()
