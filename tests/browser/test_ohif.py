"""OHIF in a real browser over our DICOMweb: images and segmentation by their pixels, and a correction."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless

from bedside.domain.judgement import Verdict
from bedside.phantom.study import write_study
from bedside.ports.judgements import JudgementFilter
from portal_results import SEED, TENANT, Made, ResultSite
from portal_site import VIEWER, Site
from portal_studies import arrived

pytestmark = pytest.mark.needs("chromium", "OHIF")
#: A pixel of a segment has a colour; images are grey.
COLOURED = 12
#: A browser reads 17 MB of script before OHIF begins, on a busy machine.
BEGINS_MS = 40_000


def at(page: Page, name: str) -> Locator:
    """Return a part of the viewer by its own name for it."""
    return page.locator(f'[data-cy="{name}"]').first


def pixels(page: Page) -> NDArray[np.int16]:
    """Return what the viewport shows, (rows, columns, 3); the overlays' texts are at its rim."""
    shown = at(page, "viewport-pane").locator("canvas").first.screenshot()
    array = np.asarray(Image.open(io.BytesIO(shown)).convert("RGB"), dtype=np.int16)
    rows, columns = (size // 8 for size in array.shape[:2])
    return array[rows:-rows, columns:-columns]


def coloured(array: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return where a picture is not grey."""
    spread: NDArray[np.bool_] = array.max(axis=2) - array.min(axis=2) > COLOURED
    return spread


def until(page: Page, holds: Callable[[NDArray[np.int16]], bool]) -> NDArray[np.int16]:
    """Look until a picture is as it should be, and return it; fails with the last."""
    for _ in range(60):
        shown = pixels(page)
        if holds(shown):
            return shown
        page.wait_for_timeout(150)
    raise AssertionError(f"mean {shown.mean():.1f}, {int(coloured(shown).sum())} coloured pixels")


def test_a_result_opens_with_its_segmentation_and_a_correction_comes_back(
    results: ResultSite, served: Callable[[Site], str], page: Page
) -> None:
    while results.deployment.cataloguer.step():
        pass
    address = served(results)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}{results.page}/images", referer=f"{address}{results.page}")

    # The segmentation is listed, and lies over the images: on the patient's left, the picture's right.
    expect(at(page, "data-row-title")).to_have_text("spleen", timeout=BEGINS_MS)
    shown = until(page, lambda array: array.mean() > 10 and coloured(array).sum() > 100)
    columns = np.nonzero(coloured(shown))[1]
    assert columns.mean() > shown.shape[1] / 2

    # It can be hidden and shown.
    at(page, "data-row-visibility-toggle").click()
    until(page, lambda array: not coloured(array).any() and array.mean() > 10)
    at(page, "data-row-visibility-toggle").click()
    first = until(page, lambda array: coloured(array).sum() > 100)

    # The wheel leads through the stack.
    number = at(page, "viewport-overlay-bottom-right")
    before = number.inner_text()
    at(page, "viewport-pane").hover()
    for _ in range(3):
        page.mouse.wheel(0, 100)
        page.wait_for_timeout(100)
    expect(number).not_to_have_text(before)
    until(page, lambda array: array.mean() > 10 and abs(array - first).mean() > 0.5)

    # What is drawn and stored comes back as a correction of this result.
    at(page, "Brush-btn").click()
    box = at(page, "viewport-pane").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 3 + 40, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    at(page, "segmentation-collapsed-more-btn-Labelmap").click()
    page.get_by_role("menuitem", name="Export").press("ArrowRight")
    page.get_by_role("menuitem", name="DICOM SEG").click()
    with page.expect_response(lambda answer: answer.request.method == "POST") as stored:
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
    assert stored.value.status == 200, stored.value.text()
    where = JudgementFilter(job_id=results.made.job_id, verdicts=frozenset({Verdict.CORRECTED}))
    (judgement,) = results.deployment.records.judgements.find(TENANT, where)
    assert judgement.correction is not None
    (label,) = judgement.correction.labels
    assert label.label == "spleen" and 0 < label.dice < 1

    assert all(url.startswith((f"{address}/", "data:", "blob:")) for url in asked)

    expect(page.get_by_role("link", name="bedside")).to_have_attribute("href", f"{address}{results.page}")

    # From then on the result opens with the correction, which refers to the model's segmentation too.
    page.goto(f"{address}{results.page}/images")
    assert f"initialSOPInstanceUID={judgement.correction.sop_instance_uid}" in page.url
    expect(at(page, "data-row-title")).to_have_text("spleen", timeout=BEGINS_MS)
    until(page, lambda array: array.mean() > 10 and coloured(array).sum() > 100)


def compressed(portal: Site, made: Made, folder: Path, syntax: UID) -> str:
    """Put a few slices into the store, compressed; return the arrival's id."""
    paths = write_study(folder / "study", made.phantom, seed=SEED)[18:24]
    for path in paths:
        instance = pydicom.dcmread(path)
        instance.compress(syntax, generate_instance_uid=False)
        instance.save_as(path)
    arrival = arrived(portal.deployment, paths)
    while portal.deployment.cataloguer.step():
        pass
    return arrival.id


def test_jpeg_2000_is_decoded_in_the_browser_and_who_may_not_judge_has_no_brush(
    portal: Site, served: Callable[[Site], str], page: Page, tmp_path: Path, made_result: Made
) -> None:
    arrival_id = compressed(portal, made_result, tmp_path, JPEG2000Lossless)
    portal.asks(VIEWER)
    with page.expect_response(lambda answer: answer.url.endswith(".wasm"), timeout=BEGINS_MS) as decoder:
        page.goto(f"{served(portal)}/t/{TENANT}/studies/{arrival_id}/images")
    assert decoder.value.ok
    until(page, lambda array: array.mean() > 10)
    expect(page.get_by_text("Label map segmentations")).to_be_visible()
    expect(at(page, "Brush-btn")).to_have_count(0)


def test_jpeg_ls_is_decoded_in_the_browser_and_whose_session_ended_signs_in_again(
    portal: Site, served: Callable[[Site], str], page: Page, tmp_path: Path, made_result: Made
) -> None:
    arrival_id = compressed(portal, made_result, tmp_path, JPEGLSLossless)
    with page.expect_response(lambda answer: answer.url.endswith(".wasm"), timeout=BEGINS_MS):
        page.goto(f"{served(portal)}/t/{TENANT}/studies/{arrival_id}/images")
    until(page, lambda array: array.mean() > 10)

    def ended(route: Route) -> None:
        portal.asks(None)
        route.continue_()

    page.route("**/dicomweb/**", ended)
    page.reload()
    page.wait_for_url("**/sign-in?next=*segmentation*", timeout=BEGINS_MS)
