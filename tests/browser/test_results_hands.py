"""The viewer of results by pointer, keys and touch."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect

from portal_results import ResultSite
from portal_site import Site
from results_pixels import cross_mm, open_page, overlay, settle

pytestmark = pytest.mark.needs("chromium")


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
    settle(page)
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
    page.locator(".coronal canvas").scroll_into_view_if_needed()
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
    settle(page)
    assert int(where.inner_text().split(" / ")[0]) > begin
    context.close()
