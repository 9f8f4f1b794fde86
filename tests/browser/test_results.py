"""The page of a result in a real browser: pixels of the overlay lie where the phantom's organ is."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, Route, expect

from bedside.phantom import Phantom
from portal_results import TENANT, Made, ResultSite, make_with, result_site
from portal_site import Site
from results_pixels import check_planes, open_page, overlay

pytestmark = pytest.mark.needs("chromium")


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


def test_where_slices_cannot_be_shown_the_preview_stays_and_the_page_says_why(
    results: ResultSite, served: Callable[[Site], str], page: Page
) -> None:
    store = results.deployment.blobs.tenant(TENANT)
    store.delete(results.deployment.ledger.arrival(TENANT, results.made.arrival_id).files[3].key)
    page.goto(served(results) + results.page)
    said = "The images of this study are not in the store any more"
    expect(page.get_by_role("alert")).to_contain_text(said)
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


def test_where_a_tab_cannot_hold_all_voxels_single_slices_get_theirs_at_rest(
    results: ResultSite, served: Callable[[Site], str], page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_page(results, served, page)
    full = overlay(page, "axial")
    monkeypatch.setattr("bedside.viewing.grid.COARSE_VOXELS", 50_000)

    def without_the_full_level(route: Route) -> None:
        answer = route.fetch()
        said = answer.json()
        assert len(said["levels"]) == 2
        route.fulfill(response=answer, json={**said, "levels": said["levels"][:-1]})

    held: list[Route] = []
    page.route(re.compile(r"/images\?version="), without_the_full_level)
    page.route("**/images/planes/*/*", lambda route: held.append(route))
    with page.expect_request("**/images/planes/axial/*"):
        page.reload()
        page.wait_for_selector("#viewer[data-drawn]")
    expect(page.locator("#readout")).to_contain_text("1 voxel in 2")
    thin = overlay(page, "axial")
    with page.expect_response("**/images/planes/axial/*"):
        for route in held:
            route.continue_()
    page.wait_for_timeout(300)
    sharp = overlay(page, "axial")
    assert sharp["count"] == full["count"] != thin["count"]
    assert (thin["x"], thin["y"]) == pytest.approx((full["x"], full["y"]), abs=0.015)
    check_planes(page, results.made.phantom)
