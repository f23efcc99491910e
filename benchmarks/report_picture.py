"""Pictures of a report: `python benchmarks/report_picture.py REPORT.html OUT.png [--explorer GENE]`.

The top of the page as it opens (docs/figures/report.png), or with `--explorer` the tissue with one gene measured and
predicted (docs/figures/explorer.png), in a headless Chromium.
"""

import argparse
from io import BytesIO
from pathlib import Path
from shutil import which

from PIL import Image
from playwright.sync_api import Page, sync_playwright

SIZE = {"width": 1180, "height": 900}


def explorer(page: Page, gene: str) -> bytes:
    """Return the picture of the explorer with a gene in it."""
    page.fill("#gene", gene)
    page.keyboard.press("Enter")
    page.wait_for_selector(f'#explorer[data-gene="{gene}"]')
    page.locator("#explorer").scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    return page.locator("#explorer").screenshot()


def main(report: Path, out: Path, gene: str | None) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        page.goto(report.resolve().as_uri())
        page.wait_for_selector("#explorer[data-gene]")
        page.wait_for_timeout(1000)
        said = page.screenshot() if gene is None else explorer(page, gene)
        browser.close()
    picture = Image.open(BytesIO(said)).convert("RGB")
    picture.quantize(256, kmeans=2, dither=Image.Dither.NONE).save(out, optimize=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--explorer", metavar="GENE")
    given = parser.parse_args()
    main(given.report, given.out, given.explorer)
