"""Surfaces and volumes by NiiVue, where it is installed: left stays left."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from portal_results import ResultSite
from portal_site import Site
from results_pixels import open_page

#: A volume is drawn without a GPU here, on cores that do other things too.
PATIENCE_MS = 90_000

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture
def niivue(repository: Path) -> None:
    """Skip where NiiVue is not installed."""
    if not (repository / "src/bedside/portal/vendor/niivue/index.js").is_file():
        pytest.skip("NiiVue is not there; python tools/browser_assets.py")


def solid(page: Page, mode: str) -> dict[str, float]:
    page.wait_for_selector(f'#solid[data-ready="{mode}"]', timeout=PATIENCE_MS)
    page.wait_for_timeout(400)
    shot = page.locator("#solid canvas").screenshot()
    pixels = np.asarray(Image.open(BytesIO(shot)).convert("RGB")).astype(int)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    mask = (red > green + 18) & (blue > green + 18) & (red > 60)
    mask[int(mask.shape[0] * 0.82) :] = False  # the cube that shows directions, and our buttons
    rows, columns = np.nonzero(mask)
    width = mask.shape[1]
    return {
        "count": len(rows),
        "x": float(columns.mean() / width) if len(rows) else 0.0,
        "least": float(columns.min() / width) if len(rows) else 0.0,
    }


@pytest.mark.usefixtures("niivue")
def test_niivue_shows_surface_and_volume_with_left_on_the_same_side(
    read_only: ResultSite, served: Callable[[Site], str], page: Page
) -> None:
    page.set_viewport_size({"width": 800, "height": 560})  # WebGL without a GPU takes its time
    open_page(read_only, served, page)
    page.get_by_role("button", name="3D").click()
    assert solid(page, "surface")["count"] > 2000
    page.locator('[data-mode="volume"]').click()
    assert solid(page, "volume")["x"] > 0.55  # seen from the front, the patient's left is on the right
    page.locator('[data-mode="slices"]').click()
    both = solid(page, "slices")
    # Coronal and axial stand in the left half: the patient's right would be at a tenth of the whole.
    assert both["count"] > 500 and both["least"] > 0.15
    page.locator("#opacity").fill("0")
    page.wait_for_timeout(300)
    surface = solid(page, "slices")
    assert 20 < surface["count"] < both["count"] / 2 and surface["least"] > 0.15
    page.locator("#opacity").fill("40")
    page.get_by_role("checkbox", name="spleen").uncheck()
    page.wait_for_timeout(300)
    assert solid(page, "slices")["count"] < 100
    page.locator('[data-mode="surface"]').click()
    assert solid(page, "surface")["count"] < 100
    page.get_by_role("checkbox", name="spleen").check()
    assert solid(page, "surface")["count"] > 2000


@pytest.mark.usefixtures("niivue")
def test_where_niivue_or_webgl_is_missing_the_page_says_so_and_slices_stay(
    read_only: ResultSite, served: Callable[[Site], str], page: Page
) -> None:
    page.route("**/vendor/niivue/**", lambda route: route.abort())
    open_page(read_only, served, page)
    page.get_by_role("button", name="3D").click()
    expect(page.locator("#solid")).to_contain_text("not installed here")
    page.get_by_role("button", name="Slices").click()
    expect(page.locator(".axial canvas")).to_be_visible()
    page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more)"
        " { return kind === 'webgl2' ? null : get.call(this, kind, ...more); };"
    )
    page.reload()
    page.wait_for_selector('#viewer[data-loaded="whole"]')
    page.get_by_role("button", name="3D").click()
    expect(page.locator("#solid")).to_contain_text("no WebGL 2")
