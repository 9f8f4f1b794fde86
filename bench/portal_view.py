"""How soon somebody sees a result: the preview, the first slices, and every voxel of them.

Run ``python bench/portal_view.py [--slices 100] [--rounds 5]``. A synthetic abdomen of 512 × 512 is read by
the example bundle on the real path; then Debian's Chromium opens the result's page over loopback, each time
as a new visitor without a cache. "First" is with images that nobody looked at before, "again" finds them
prepared. Seconds count from the navigation's start until the browser has painted: of the preview as the
browser says (Largest Contentful Paint), of slices when a frame with them is drawn.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from playwright.sync_api import Browser, sync_playwright

from portal_results import ResultSite, make_with, result_site
from portal_serving import FLAGS, serving

#: When the preview was painted, in milliseconds after the navigation began; slices that came before it count.
PAINTED = """
() => new Promise((resolve) => {
  new PerformanceObserver((list) => {
    const seen = list.getEntries().filter((entry) => (entry.url || "").includes("preview.png"));
    if (seen.length) resolve(seen[0].renderTime || seen[0].startTime);
  }).observe({type: "largest-contentful-paint", buffered: true});
  const look = () => {
    if (document.querySelector("#viewer[data-drawn]")) setTimeout(() => resolve(performance.now()), 100);
    else setTimeout(look, 5);
  };
  look();
})
"""
NOW = "() => performance.now()"
KINDS = ("preview painted", "first slices drawn", "every voxel drawn")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "made").mkdir()
        made = make_with(
            place / "made", shape=(options.slices, 512, 512), affine=None, spacing_mm=(2.5, 0.8, 0.8)
        )
        (place / "site").mkdir()
        with result_site(made, place / "site") as results, serving(results.client.app) as address:
            program = shutil.which("chromium")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
                report(browser, results, address, options.rounds)
                browser.close()
    print(f"\nMedian (and slowest) of {options.rounds}; {options.slices} slices of 512 × 512.")


def report(browser: Browser, results: ResultSite, address: str, rounds: int) -> None:
    """Print a row per kind of visit."""
    visit(browser, address + results.page)  # the browser's own first start is not the portal's
    print("| s from the click until | " + " | ".join(KINDS) + " |\n|---|" + "---|" * len(KINDS))
    for name, forget in (("first", True), ("again", False)):
        seen: list[tuple[float, ...]] = []
        for _ in range(rounds):
            if forget:
                shutil.rmtree(results.deployment.scratch / "viewing", ignore_errors=True)
            seen.append(visit(browser, address + results.page))
        columns = list(zip(*seen, strict=True))
        cells = [f"{statistics.median(column):.2f} ({max(column):.2f})" for column in columns]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def visit(browser: Browser, page_address: str) -> tuple[float, ...]:
    """Return the seconds of one visit."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(page_address, wait_until="commit")
    painted = page.evaluate(PAINTED)
    page.wait_for_selector("#viewer[data-drawn]", timeout=120_000)
    drawn = page.evaluate(NOW)
    page.wait_for_selector('#viewer[data-loaded="whole"]', timeout=120_000)
    whole = page.evaluate(NOW)
    context.close()
    return painted / 1000, drawn / 1000, whole / 1000


if __name__ == "__main__":
    main()
