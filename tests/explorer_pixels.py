"""What a page with known values must look like in a browser, and what it does look like."""

import numpy as np

from explorer_page import GROUND, SIZE_PX, colours, section_values

N_COLUMNS, N_ROWS = 8, 6
PIXEL = """([view, x, y]) => {
  const canvas = document.querySelectorAll(".map")[view];
  const ratio = canvas.width / canvas.clientWidth;
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.drawImage(canvas, -Math.round(x * ratio), -Math.round(y * ratio));
  return [...context.getImageData(0, 0, 1, 1).data];
}"""
SETTLED = "() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 250))"


def places(page, *, zoom=(1.0, 0.0, 0.0)):
    """Say where pixels of the picture are on a view: the spots' box with its margin fits it."""
    box = page.locator(".stage").first.evaluate("(e) => [e.clientWidth, e.clientHeight]")
    xy = section_values(N_COLUMNS, N_ROWS, 2, 0)[0]
    margin = 50 + 0.03 * np.ptp(xy, axis=0).max()
    start = np.maximum(xy.min(axis=0) - margin, 0)
    stop = np.minimum(xy.max(axis=0) + margin, SIZE_PX)
    scale = min(box / (stop - start))
    corner = (box - (stop - start) * scale) / 2 - start * scale
    return (xy * scale + corner) * zoom[0] + zoom[1:]


def blended(colour, opacity=0.8):
    over = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    return over * opacity + np.array(GROUND) * (1 - opacity)


def shown(page, view, spot):
    return page.evaluate(PIXEL, [view, *places(page)[spot].tolist()])


def expected(kind, value, low, high):
    step = min(255, int((value - low) / (high - low) * 256))
    return blended(colours(kind)[step])


def choose(page, gene):
    page.keyboard.press("/")
    page.keyboard.type(gene)
    page.keyboard.press("Enter")
    page.evaluate(SETTLED)


def point(page, spot, view=0):
    box = page.locator(".stage").nth(view).bounding_box()
    x, y = places(page)[spot]
    page.mouse.move(box["x"] + x, box["y"] + y)


def canvases(page):
    return page.evaluate("[...document.querySelectorAll('.map')].map((canvas) => canvas.toDataURL())")


def mouse(page, spot):
    box = page.locator(".stage").first.bounding_box()
    x, y = places(page)[spot]
    return box["x"] + x, box["y"] + y
