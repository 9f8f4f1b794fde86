"""A corrected result in a real browser: each version's voxels are coloured in that version alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from portal_corrections import correct_as, shifted
from portal_results import Made, ResultSite, result_site
from portal_site import Site
from results_pixels import PLANES, colour_at, go_to, open_page, overlay

pytestmark = pytest.mark.needs("chromium")
#: A volume is drawn without a GPU here, on cores that do other things too.
PATIENCE_MS = 90_000
MODEL = "model"
#: Of a line that is seen on any ground.
DASHES = {(0, 0, 0), (255, 255, 255)}


@pytest.fixture(scope="module")
def corrected(made_result: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ResultSite]:
    """A result whose mask a reviewer moved to the patient's left; nothing here changes it."""
    with result_site(made_result, tmp_path_factory.mktemp("corrected")) as opened:
        correct_as(opened, "p-1", "Pat", edit=shifted)
        yield opened


def masks(site: ResultSite) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the model's mask and the corrected one, (z, y, x)."""
    shape = site.made.phantom.array.shape
    newest = site.client.get(site.api).json()["versions"][0]["id"]
    found = []
    for version in (MODEL, newest):
        asked = {"version": version, "part": "labels"}
        while (answer := site.client.get(f"{site.api}/images/levels/0/0", params=asked)).status_code == 202:
            pass
        found.append(np.frombuffer(answer.content, "u1").reshape(shape) > 0)
    return found[0], found[1]


def only_in(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Return a voxel well within what one mask has and the other has not."""
    alone = one & ~other
    for axis in range(3):  # its neighbours too, so that no edge is met
        alone = alone & np.roll(alone, 1, axis) & np.roll(alone, -1, axis)
    z, y, x = np.argwhere(alone)[len(np.argwhere(alone)) // 2]
    return int(z), int(y), int(x)


def is_violet(colour: tuple[int, ...]) -> bool:
    """Whether a pixel has the spleen's colour."""
    red, green, blue = colour
    return red > green + 18 and blue > green + 18


def seen(page: Page, site: ResultSite, voxel: tuple[int, int, int]) -> list[bool]:
    """Return whether a voxel is coloured, plane by plane."""
    phantom = site.made.phantom
    place = phantom.affine[:3, :3] @ np.array(voxel) + phantom.affine[:3, 3]
    go_to(page, voxel)
    return [is_violet(colour_at(page, phantom, plane, place)) for plane in PLANES]


def test_a_voxel_that_one_version_has_is_coloured_in_that_one_alone(
    corrected: ResultSite, served: Callable[[Site], str], page: Page
) -> None:
    model, drawn = masks(corrected)
    ours, theirs, both = only_in(model, drawn), only_in(drawn, model), only_in(model & drawn, model & ~drawn)
    open_page(corrected, served, page)
    choice = page.get_by_role("navigation", name="Version of the masks")
    expect(choice.locator(".masks-shown")).to_contain_text("Masks shown: corrected by")
    expect(page.locator(".corrected tbody tr")).to_have_count(1)
    assert seen(page, corrected, theirs) == [True] * 3
    assert seen(page, corrected, ours) == [False] * 3
    assert seen(page, corrected, both) == [True] * 3
    page.locator("#reset").click()
    to_the_left = overlay(page, "axial")["x"]

    choice.get_by_role("link", name="the model's own").click()
    page.wait_for_selector('#viewer[data-loaded="whole"][data-drawn]')
    expect(choice.locator(".masks-shown")).to_contain_text("Masks shown: the model's own")
    assert seen(page, corrected, theirs) == [False] * 3
    assert seen(page, corrected, ours) == [True] * 3
    assert seen(page, corrected, both) == [True] * 3
    page.locator("#reset").click()
    # The reviewer moved it to the patient's left: the picture's right.
    assert to_the_left > overlay(page, "axial")["x"] + 0.02


def test_another_version_is_drawn_as_a_line_where_it_ends(
    corrected: ResultSite, served: Callable[[Site], str], page: Page
) -> None:
    model, drawn = masks(corrected)
    alone = model & ~drawn
    z, y, _ = only_in(model, drawn)
    edge = (z, y, int(np.flatnonzero(model[z, y])[0]))  # the model's last voxel on the patient's right
    assert alone[edge]
    phantom = corrected.made.phantom
    place = phantom.affine[:3, :3] @ np.array(edge) + phantom.affine[:3, 3]
    inside = only_in(model, drawn)
    open_page(corrected, served, page)
    go_to(page, edge)
    assert colour_at(page, phantom, "axial", place) not in DASHES
    against = page.get_by_label("Compare with")
    against.select_option("model")
    legend = page.locator("#against-legend.drawn")
    expect(legend).to_have_text("Dashed line: the masks that are compared with")
    for plane in ("axial", "coronal"):
        assert colour_at(page, phantom, plane, place) in DASHES, plane
    assert seen(page, corrected, inside) == [False] * 3, "a line, and nothing inside"
    go_to(page, edge)
    page.get_by_role("checkbox", name="spleen").uncheck()
    assert colour_at(page, phantom, "axial", place) not in DASHES, "a label that is hidden is hidden in both"
    page.get_by_role("checkbox", name="spleen").check()
    assert colour_at(page, phantom, "axial", place) in DASHES
    against.select_option("")
    expect(page.locator("#against-legend")).to_be_hidden()
    assert colour_at(page, phantom, "axial", place) not in DASHES


def test_in_three_dimensions_the_masks_are_those_of_the_version_and_no_surface_is_anothers(
    corrected: ResultSite, served: Callable[[Site], str], page: Page, repository: Path
) -> None:
    if not (repository / "src/bedside/portal/vendor/niivue/index.js").is_file():
        pytest.skip("NiiVue is not there; python tools/browser_assets.py")
    page.set_viewport_size({"width": 800, "height": 560})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    newest = corrected.client.get(corrected.api).json()["versions"][0]["id"]
    open_page(corrected, served, page)
    page.get_by_role("button", name="3D").click()
    page.wait_for_selector('#solid[data-ready="slices"]', timeout=PATIENCE_MS)
    expect(page.locator(".solid-masks")).to_contain_text("as corrected. There is no surface of them")
    expect(page.locator('[data-mode="surface"]')).to_have_count(0)
    labels = [url for url in asked if "labels.nii" in url]
    assert labels and all(url.endswith(f"&version={newest}") for url in labels)
    assert not [url for url in asked if ".stl" in url]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_of_a_corrected_result_is_for_everybody(
    corrected: ResultSite, served: Callable[[Site], str], page: Page, repository: Path, width: int
) -> None:
    axe = repository / "node_modules" / "axe-core" / "axe.min.js"
    if not axe.is_file():
        pytest.skip("axe-core is not there; python tools/browser_assets.py")
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme="dark" if width == 390 else "light")
    open_page(corrected, served, page)
    page.get_by_label("Compare with").select_option("model")
    expect(page.locator("#against-legend.drawn")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(axe.read_text(encoding="utf-8"))
    found = page.evaluate(
        "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.target.join(' '))]))"
    )
    assert found == []
