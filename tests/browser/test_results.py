"""The page of a result in a real browser: pixels of the overlay lie where the phantom's organ is."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, Route, expect

from bedside.phantom import Phantom
from portal_results import TENANT, Made, ResultSite, make_with, result_site
from portal_site import Site

pytestmark = pytest.mark.needs("chromium")

#: Directions across and down each plane's picture, LPS, as radiologists look.
PLANES = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}

#: Number and middle (0 to 1, across and down) of pixels in the spleen's colour, the least of it green.
FIND = """
(canvas) => {
  const {width, height} = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  const data = copy.getImageData(0, 0, width, height).data;
  let count = 0, x = 0, y = 0;
  for (let at = 0, n = 0; at < data.length; at += 4, n += 1) {
    if (data[at] > data[at + 1] + 18 && data[at + 2] > data[at + 1] + 18) {
      count += 1; x += n % width; y += Math.floor(n / width);
    }
  }
  return {count, x: (x / count + 0.5) / width, y: (y / count + 0.5) / height, width, height};
}
"""


def open_page(results: ResultSite, served: Callable[[Site], str], page: Page) -> None:
    page.goto(served(results) + results.page)
    page.wait_for_selector('#viewer[data-loaded="whole"]')


def overlay(page: Page, plane: str) -> dict[str, float]:
    page.wait_for_timeout(60)  # a frame or two, in which it is drawn
    found: dict[str, float] = page.locator(f".{plane} canvas").evaluate(FIND)
    return found


def corners_mm(phantom: Phantom) -> NDArray[np.float64]:
    """Return the places of the volume's outer corners, LPS."""
    ends = [(-0.5, size - 0.5) for size in phantom.array.shape]
    index = np.stack(np.meshgrid(*ends, indexing="ij")).reshape(3, -1)
    corners: NDArray[np.float64] = (phantom.affine[:3, :3] @ index).T + phantom.affine[:3, 3]
    return corners


def expected(
    phantom: Phantom, plane: str, at_mm: NDArray[np.float64], frame: tuple[float, float]
) -> tuple[float, float]:
    """Return where the middle of the truth in a slice lies, as parts of the frame; from LPS alone."""
    truth = np.argwhere(phantom.masks == phantom.labels["spleen"])
    places = (phantom.affine[:3, :3] @ truth.T).T + phantom.affine[:3, 3]
    across, down = (np.array(direction) for direction in PLANES[plane])
    through = np.cross(across, down)
    step = np.abs(phantom.affine[:3, :3].T @ through).max()
    in_slice = places[np.abs((places - at_mm) @ through) <= step / 2 + 1e-6]
    assert len(in_slice)
    box = corners_mm(phantom)
    size = np.array([np.ptp(box @ direction) for direction in (across, down)])
    middle = np.array([(in_slice @ direction).mean() for direction in (across, down)])
    begin = np.array([(box @ direction).min() for direction in (across, down)])
    scale = min(np.array(frame) / size)
    pixel = np.array(frame) / 2 + (middle - begin - size / 2) * scale
    return float(pixel[0] / frame[0]), float(pixel[1] / frame[1])


def cross_mm(page: Page) -> NDArray[np.float64]:
    """Return what the page says of the cross-hair's place: "L 96.4  P 1.1  F 270.7 mm"."""
    words = page.locator("#readout").inner_text().split("mm")[0].split()
    signs = {"L": 1, "R": -1, "P": 1, "A": -1, "H": 1, "F": -1}
    return np.array([signs[letter] * float(mm) for letter, mm in zip(words[::2], words[1::2], strict=True)])


def check_planes(page: Page, phantom: Phantom) -> None:
    at = cross_mm(page)
    for plane in PLANES:
        found = overlay(page, plane)
        assert found["count"] > 300, plane
        wanted = expected(phantom, plane, at, (found["width"], found["height"]))
        assert (found["x"], found["y"]) == pytest.approx(wanted, abs=0.03), plane


def test_the_mask_is_drawn_where_the_organ_is_and_goes_when_it_is_hidden(
    read_only: ResultSite, served: Callable[[Site], str], page: Page
) -> None:
    open_page(read_only, served, page)
    check_planes(page, read_only.made.phantom)
    assert (
        overlay(page, "axial")["x"] > 0.6
    )  # the spleen is on the patient's left, which is on the right here
    box = page.get_by_role("checkbox", name="spleen")
    box.uncheck()
    assert overlay(page, "axial")["count"] < 30
    box.check()
    assert overlay(page, "axial")["count"] > 300
    page.locator("#outline").uncheck()
    page.locator("#opacity").fill("0")
    assert overlay(page, "axial")["count"] < 30
    page.locator("#opacity").fill("100")
    assert overlay(page, "axial")["count"] > 300
    letters = {
        side: page.locator(f".axial .letter.{side}").inner_text()
        for side in ("left", "right", "top", "bottom")
    }
    assert letters == {"left": "R", "right": "L", "top": "A", "bottom": "P"}


def turned(phantom: Phantom) -> dict[str, tuple[tuple[int, int, int], NDArray[np.float64]]]:
    """Return the same box of the patient on other grids: sagittal, and axial the other way round."""
    (slices, rows, columns), (step, down, along) = phantom.array.shape, phantom.affine[:3, :3].T
    first = phantom.affine[:3, 3]
    last = first + step * (slices - 1) + down * (rows - 1) + along * (columns - 1)

    def grid(origin: NDArray[np.float64], *vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        affine = np.eye(4)
        affine[:3, :3], affine[:3, 3] = np.stack(vectors, axis=1), origin
        return affine

    sagittal = grid(first + step * (slices - 1), along, -step, down)
    prone = grid(last, -step, -down, -along)
    return {
        "sagittal": ((columns, slices, rows), sagittal),
        "prone, feet last": ((slices, rows, columns), prone),
    }


@pytest.mark.parametrize("acquisition", ["sagittal", "prone, feet last"])
def test_another_acquisition_of_the_same_patient_is_drawn_at_the_same_place(
    acquisition: str,
    made_result: Made,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    served: Callable[[Site], str],
    page: Page,
) -> None:
    shape, affine = turned(made_result.phantom)[acquisition]
    made = make_with(tmp_path_factory.mktemp("turned"), shape=shape, affine=affine)
    with result_site(made, tmp_path) as results:
        open_page(results, served, page)
        check_planes(page, made.phantom)
        assert overlay(page, "axial")["x"] > 0.6


def test_coarse_voxels_come_first_and_full_ones_to_the_same_place(
    results: ResultSite, served: Callable[[Site], str], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bedside.viewing.grid.COARSE_VOXELS", 50_000)
    monkeypatch.setattr("bedside.viewing.grid.SLAB_VOXELS", 60_000)
    held: list[Route] = []
    freed: list[bool] = []
    page.route("**/images/levels/1/*", lambda route: route.continue_() if freed else held.append(route))
    page.goto(served(results) + results.page)
    page.wait_for_selector("#panels:not([hidden]) canvas")
    expect(page.locator("#loading")).to_contain_text("full resolution")
    page.wait_for_selector("#viewer[data-drawn]")
    check_planes(page, results.made.phantom)
    coarse = overlay(page, "axial")
    freed.append(True)
    for route in held:
        route.continue_()
    page.wait_for_selector('#viewer[data-loaded="whole"]')
    full = overlay(page, "axial")
    assert (full["x"], full["y"]) == pytest.approx((coarse["x"], coarse["y"]), abs=0.015)
    assert full["count"] != coarse["count"]
    check_planes(page, results.made.phantom)


def test_keys_wheel_pointer_and_slider_lead_through_the_volume(
    read_only: ResultSite, served: Callable[[Site], str], page: Page
) -> None:
    open_page(read_only, served, page)
    axial = page.locator(".axial canvas")
    where = page.locator(".axial .plane-where")
    begin = int(where.inner_text().split(" / ")[0])
    axial.focus()
    page.keyboard.press("ArrowDown")
    expect(where).to_contain_text(f"{begin - 1} / 40")
    page.keyboard.press("PageUp")
    expect(where).to_contain_text(f"{begin + 9} / 40")
    page.keyboard.press("End")
    expect(where).to_contain_text("1 / 40")
    expect(axial).to_have_accessible_name("Axial: slice 1 of 40, " + where.inner_text().split("· ")[1])
    page.locator(".axial input").fill("20")
    expect(where).to_contain_text("20 / 40")
    box = axial.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, 100)
    expect(where).to_contain_text("19 / 40")
    before = cross_mm(page)
    page.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2)
    page.wait_for_timeout(60)
    after = cross_mm(page)
    assert after[0] < -20 < before[0] and after[2] == before[2]  # to the patient's right, in the same slice
    page.locator(".coronal canvas").dblclick()
    expect(page.locator("#panels")).to_have_attribute("data-main", "coronal")
    page.get_by_role("button", name="Reset view").click()
    expect(where).to_contain_text(f"{begin} / 40")
    page.get_by_role("button", name="Go to spleen").click()
    expect(page.locator("#readout")).to_contain_text("spleen")


def test_window_and_zoom_change_the_picture(
    read_only: ResultSite, served: Callable[[Site], str], page: Page
) -> None:
    open_page(read_only, served, page)
    mean = """canvas => {
      const c = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      let sum = 0; for (let n = 1; n < c.length; n += 4) sum += c[n]; return sum / (c.length / 4); }"""
    axial = page.locator(".axial canvas")
    soft = axial.evaluate(mean)
    page.locator("#window-preset").select_option("lung")
    page.wait_for_timeout(60)
    assert axial.evaluate(mean) > soft * 1.5
    expect(page.locator("#window-now")).to_have_text("C -600 W 1500")
    page.get_by_role("button", name="Window", exact=True).click()
    box = axial.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 140, steps=3)
    page.mouse.up()
    expect(page.locator("#window-preset")).to_have_value("own")
    page.keyboard.press("0")
    expect(page.locator("#window-now")).to_have_text("C 40 W 400")
    small = overlay(page, "axial")["count"]
    axial.focus()
    for _ in range(3):
        page.keyboard.press("+")
    assert overlay(page, "axial")["count"] > small * 1.3
    page.keyboard.press("o")
    assert overlay(page, "axial")["count"] < 30


def test_a_phone_shows_one_plane_and_scrolls_it_by_touch(
    read_only: ResultSite, served: Callable[[Site], str], browser: Browser
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_page(read_only, served, page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(page.locator(".coronal")).to_be_hidden()
    page.get_by_role("button", name="Coronal").tap()
    expect(page.locator(".axial")).to_be_hidden()
    assert overlay(page, "coronal")["count"] > 100
    where = page.locator(".coronal .plane-where")
    begin = int(where.inner_text().split(" / ")[0])
    box = page.locator(".coronal canvas").bounding_box()
    assert box is not None
    touch = context.new_cdp_session(page)
    x, y = box["x"] + 30, box["y"] + 60
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 6):
        touch.send(
            "Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x, "y": y + 14 * step}]}
        )
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(60)
    assert int(where.inner_text().split(" / ")[0]) > begin
    context.close()


def test_where_slices_cannot_be_shown_the_preview_stays_and_the_page_says_why(
    results: ResultSite, served: Callable[[Site], str], page: Page
) -> None:
    store = results.deployment.blobs.tenant(TENANT)
    store.delete(results.deployment.ledger.arrival(TENANT, results.made.arrival_id).files[3].key)
    page.goto(served(results) + results.page)
    expect(page.get_by_role("alert")).to_contain_text("the study is not in the store any more")
    picture = page.locator("#preview img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 500


def test_no_rule_of_accessibility_is_broken(
    read_only: ResultSite, served: Callable[[Site], str], page: Page, repository: Path
) -> None:
    axe = repository / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not there; python tools/browser_assets.py")
    open_page(read_only, served, page)
    page.evaluate(axe.read_text(encoding="utf-8"))
    found = page.evaluate(
        "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.target.join(' '))]))"
    )
    assert found == []


# NiiVue


@pytest.fixture
def niivue(repository: Path) -> Iterator[None]:
    """Skip where NiiVue is not installed."""
    if not (repository / "src/bedside/portal/vendor/niivue/index.js").is_file():
        pytest.skip("NiiVue is not there; python tools/browser_assets.py")
    yield


def solid(page: Page, mode: str) -> dict[str, float]:
    page.wait_for_selector(f'#solid[data-ready="{mode}"]')
    page.wait_for_timeout(400)
    shot = page.locator("#solid canvas").screenshot()
    from io import BytesIO

    from PIL import Image

    pixels = np.asarray(Image.open(BytesIO(shot)).convert("RGB")).astype(int)
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    mask = (red > green + 18) & (blue > green + 18) & (red > 60)
    mask[int(mask.shape[0] * 0.82) :] = False  # the cube that shows directions, and our buttons
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    return {
        "count": len(rows),
        "x": columns.mean() / width if len(rows) else 0.0,
        "y": rows.mean() / height if len(rows) else 0.0,
    }


@pytest.mark.usefixtures("niivue")
def test_niivue_shows_surface_and_volume_with_left_on_the_same_side(
    read_only: ResultSite, served: Callable[[Site], str], page: Page
) -> None:
    page.set_viewport_size({"width": 800, "height": 560})  # WebGL without a GPU takes its time
    open_page(read_only, served, page)
    own = overlay(page, "axial")
    assert own["x"] > 0.6
    page.get_by_role("button", name="3D").click()
    assert solid(page, "surface")["count"] > 2000
    page.locator('[data-mode="volume"]').click()
    assert solid(page, "volume")["x"] > 0.55  # seen from the front, the patient's left is on the right
    page.locator('[data-mode="slices"]').click()
    assert solid(page, "slices")["count"] > 500
    # Where NiiVue itself, with its own letters, has patient's left: the cross-hair is in the spleen.
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
    assert overlay(page, "axial")["count"] > 300
    page.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more)"
        " { return kind === 'webgl2' ? null : get.call(this, kind, ...more); };"
    )
    page.reload()
    page.wait_for_selector('#viewer[data-loaded="whole"]')
    page.get_by_role("button", name="3D").click()
    expect(page.locator("#solid")).to_contain_text("no WebGL 2")
