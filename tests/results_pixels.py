"""Where pixels of an overlay lie in the viewer of results, and where they ought to by the patient alone."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page

from bedside.phantom import Phantom
from portal_results import ResultSite
from portal_site import Site

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

#: The colour of one pixel.
AT = """
(canvas, [x, y]) => {
  const copy = new OffscreenCanvas(1, 1).getContext("2d");
  copy.drawImage(canvas, -x, -y);
  return [...copy.getImageData(0, 0, 1, 1).data];
}
"""


def open_page(results: ResultSite, served: Callable[[Site], str], page: Page, version: str = "") -> None:
    page.goto(served(results) + results.page + (f"?version={version}" if version else ""))
    page.wait_for_selector('#viewer[data-loaded="whole"][data-drawn]')


def settle(page: Page) -> None:
    """Wait for two frames: what was asked for is drawn by then."""
    page.evaluate("() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")


def overlay(page: Page, plane: str) -> dict[str, float]:
    settle(page)
    found: dict[str, float] = page.locator(f".{plane} canvas").evaluate(FIND)
    return found


def colour_at(page: Page, phantom: Phantom, plane: str, place_mm: NDArray[np.float64]) -> tuple[int, ...]:
    """Return what is drawn at a place (LPS) of the plane that is shown: red, green and blue."""
    settle(page)
    canvas = page.locator(f".{plane} canvas")
    width, height = canvas.evaluate("(canvas) => [canvas.width, canvas.height]")
    x, y = shown_at(phantom, plane, place_mm, (width, height))
    found: list[int] = canvas.evaluate(AT, [int(x * width), int(y * height)])
    return tuple(found[:3])


def go_to(page: Page, index: tuple[int, int, int]) -> None:
    """Lead the three planes to a voxel, (z, y, x)."""
    for plane, number in zip(PLANES, index, strict=True):
        page.locator(f".{plane} input[type=range]").fill(str(number + 1))
    settle(page)


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
    return shown_at(phantom, plane, in_slice.mean(axis=0), frame)


def shown_at(
    phantom: Phantom, plane: str, place_mm: NDArray[np.float64], frame: tuple[float, float]
) -> tuple[float, float]:
    """Return where a place (LPS) is drawn, as parts of the frame."""
    across, down = (np.array(direction) for direction in PLANES[plane])
    box = corners_mm(phantom)
    size = np.array([np.ptp(box @ direction) for direction in (across, down)])
    middle = np.array([place_mm @ direction for direction in (across, down)])
    begin = np.array([(box @ direction).min() for direction in (across, down)])
    scale = min(np.array(frame) / size)
    pixel = np.array(frame) / 2 + (middle - begin - size / 2) * scale
    return float(pixel[0] / frame[0]), float(pixel[1] / frame[1])


def cross_mm(page: Page) -> NDArray[np.float64]:
    """Return what the page says of the cross-hair's place: "L 96.4  P 1.1  F 270.7 mm"."""
    settle(page)
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
