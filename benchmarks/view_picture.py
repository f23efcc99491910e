"""The picture of the viewer in docs/viewing.md: `python benchmarks/view_picture.py SLIDE PREDICTION GENE OUT.png`.

Opens `mclstexp view` in a headless Chromium, goes to the highest region of the gene, and a step closer.
"""

import sys
import threading
from io import BytesIO
from pathlib import Path
from shutil import which

from PIL import Image
from playwright.sync_api import sync_playwright

from mclstexp.report.viewer import ViewServer
from mclstexp.report.viewer_data import SlideView

SIZE = {"width": 960, "height": 620}


def main(slide: str, prediction: str, gene: str, out: str) -> None:
    with ViewServer(SlideView(Path(slide), Path(prediction), gene=gene)) as server, sync_playwright() as playwright:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(executable_path=which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        page.goto(server.address)
        page.wait_for_selector("body[data-layer]")
        page.keyboard.press("n")
        page.wait_for_timeout(3000)
        page.wait_for_load_state("networkidle")
        box = page.locator("#view").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
        page.wait_for_timeout(500)
        picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
        picture.quantize(256, kmeans=2, dither=Image.Dither.NONE).save(out, optimize=True)
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
