"""A window on what `mclstexp view` serves, and what is on its screen."""

from base64 import b64decode
from contextlib import contextmanager
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

VIEW = {"width": 1280, "height": 800}


@contextmanager
def windows(browser):
    """Give a way to open a server's page; see afterwards that all was well and nobody else was asked."""
    complaints, contexts = [], []

    def opened(server, *, well=True, whole=True, **wishes):
        context = browser.new_context(viewport=VIEW, **wishes)
        contexts.append(context)
        page = context.new_page()
        if well:
            page.on("console", lambda said: complaints.append(said.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith((server.address, "blob:")) else complaints.append(r.url))
        page.on("popup", lambda popup: complaints.append(popup.url))
        page.goto(server.address)
        page.wait_for_selector("body[data-layer]")
        if whole:
            page.keyboard.press("0")
        settle(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def settle(page):
    """Wait until neither the picture nor the map over it changes."""
    before = None
    for _ in range(40):
        page.wait_for_timeout(150)
        now = page.screenshot()
        if now == before:
            return
        before = now
    pytest.fail("the page does not come to rest")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
    settle(page)


def choose(page, name):
    press(page, "/")
    page.keyboard.type(name.lower())
    press(page, "Enter")
    page.wait_for_selector(f"body[data-layer={name}]")
    settle(page)


def map_pixels(page, overlay="overlay"):
    """(height, width, 4) what is drawn over the slide."""
    size, values = page.evaluate(
        """(id) => {
            const canvas = document.getElementById(id);
            const { width, height } = canvas;
            const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
            copy.drawImage(canvas, 0, 0);
            const { data } = copy.getImageData(0, 0, width, height);
            return [[height, width], btoa(Array.from(data, (v) => String.fromCharCode(v)).join(""))];
        }""",
        overlay,
    )
    return np.frombuffer(b64decode(values), np.uint8).reshape(*size, 4)


def screen(page):
    """(height, width, 3) what is seen of the slide and the map, without the panel."""
    return np.asarray(Image.open(BytesIO(page.locator("main").screenshot())).convert("RGB"))


def home(page, size_px):
    """Return screen pixels per slide pixel, and where the slide's corner is, when the whole slide is shown."""
    box = page.locator("#view").bounding_box()
    scale = min(box["width"] / size_px[0], box["height"] / size_px[1])
    return scale, (np.array([box["width"], box["height"]]) - scale * np.array(size_px)) / 2


def expected_colours(view, layer, *, limits=None, colours="viridis"):
    """(n_tiles, 3) the colour each tile must have, worked out from the numbers."""
    said, limits = view.describe(), limits or view.peaks(layer)["limits"]
    scale = np.array(
        [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in [*said["maps"][colours], said["missing"]]]
    )
    share = np.clip((view.values(layer) - limits[0]) / (limits[1] - limits[0]), 0, 1)
    return scale[np.where(np.isnan(share), 256, np.minimum(255, np.nan_to_num(share) * 256)).astype(int)]


def at_tiles(page, view):
    """(n_tiles, 4) the map's pixel at the centre of each tile, the whole slide being shown."""
    scale, corner = home(page, view.slide.size_px)
    x, y = (view.xy * scale + corner).astype(int).T
    return map_pixels(page)[y, x].astype(int)
