"""The viewer in a real browser: what is on the screen is what the files say, and nobody else is asked."""

import re

import numpy as np
import pytest
import shapely
import tifffile
from PIL import Image

from made_prediction import UNREADABLE, made_prediction
from mclstexp.core.tiles import TileSpec
from mclstexp.io.predictions import write_prediction
from mclstexp.io.slides import open_slide
from mclstexp.report.viewer_data import SlideView
from viewed_slide import named_prediction, served
from viewer_screen import at_tiles, choose, expected_colours, home, map_pixels, press, screen, settle, windows

pytestmark = pytest.mark.slow

MARK = (208, 28, 139)
HUGE_PX, BLOCK_PX, CELL_PX, SIDE_PX = 30_000, 512, 4, 448


@pytest.fixture
def opened(browser):
    with windows(browser) as opened:
        yield opened


def test_the_map_has_the_colours_of_the_numbers(server, view, opened):
    page = opened(server)
    assert page.title() == "corner · mclstexp"
    assert "4 genes" in page.locator("#about").text_content()
    press(page, "t", *20 * "]")
    for name in ("COLUMN", "ROW", "DARK"):
        choose(page, name)
        found = at_tiles(page, view)
        assert (found[:, 3] == 255).all()
        assert np.abs(found[:, :3] - expected_colours(view, view.layers.index(name))).max() <= 1
    missing = made_prediction().obs_names.get_loc(UNREADABLE)
    assert found[missing].tolist() == [200, 200, 200, 255]
    assert page.locator("#missing").is_visible()
    drawn = map_pixels(page)[..., 3] > 0
    scale, _ = home(page, view.slide.size_px)
    assert drawn.sum() == pytest.approx(len(view.xy) * (28 * scale) ** 2, rel=0.02), "tiles, and nothing beside them"


def test_values_that_cannot_be_are_said(server, opened):
    page = opened(server)
    choose(page, "COLUMN")
    assert "tiles lie above 4" in page.locator("#beyond").text_content()
    choose(page, "CALM")
    assert page.locator("#beyond").is_hidden()


def test_opacity_and_the_map_switched_off(server, view, opened):
    page = opened(server)
    press(page, "t")
    assert (np.abs(at_tiles(page, view)[:, 3] - 0.6 * 255) <= 1).all()
    press(page, *6 * "[")
    assert page.locator("#percent").text_content() == "30 %"
    assert (np.abs(at_tiles(page, view)[:, 3] - 0.3 * 255) <= 1).all()
    seen = screen(page)
    press(page, "m")
    assert not map_pixels(page).any()
    assert (seen != screen(page)).any()
    page.get_by_label("Map", exact=True).check()
    settle(page)
    assert (at_tiles(page, view)[:, 3] > 0).all()


def test_the_slide_is_seen_under_the_map(server, view, opened):
    page = opened(server)
    press(page, "m", "t")
    scale, corner = home(page, view.slide.size_px)
    shown, slide = screen(page), view.slide.thumbnail(900)
    for x, y in [(50, 50), (290, 190), (310, 190), (290, 210), (890, 300), (450, 590)]:
        at = (np.array([x, y]) * scale + corner).astype(int)
        assert np.abs(shown[at[1], at[0]].astype(int) - slide[y, x]).max() <= 4


def test_the_outline_is_the_tissue(server, view, opened):
    page = opened(server)
    press(page, "m")
    drawn = map_pixels(page)[..., 3] > 0
    scale, corner = home(page, view.slide.size_px)
    rings = shapely.union_all(
        [shapely.LinearRing(np.reshape(ring, (-1, 2)) * scale + corner) for ring in view.describe()["outline"]]
    )
    y, x = np.nonzero(drawn)
    away = shapely.distance(rings, shapely.points(np.column_stack([x + 0.5, y + 0.5])))
    assert away.max() < 3
    inside = [point for point in shapely.get_coordinates(rings.segmentize(5)) if 0 < point[1] < drawn.shape[0] - 1]
    assert np.mean([drawn[int(y), int(x)] for x, y in inside]) == 1
    press(page, "t")
    assert not map_pixels(page).any()


def test_jumping_to_the_highest_regions(server, view, opened):
    page = opened(server)
    choose(page, "ROW")
    peaks = view.peaks(view.layers.index("ROW"))["peaks"]
    buttons = page.locator("#peaks button")
    assert buttons.count() == len(peaks) > 1
    assert not (map_pixels(page)[..., :3] == MARK).all(axis=-1).any()
    for number, key in ((0, "n"), (1, "n"), (0, "p")):
        press(page, key)
        assert [button.get_attribute("aria-current") for button in buttons.all()].index("true") == number
        ring = (map_pixels(page)[..., :3] == MARK).all(axis=-1)
        y, x = np.nonzero(ring)
        middle = np.array([x.mean() + 0.5, y.mean() + 0.5])
        box = page.locator("#view").bounding_box()
        assert np.abs(middle - [box["width"] / 2, box["height"] / 2]).max() < 2, "the region is in the middle"
        scale = min(box["width"], box["height"]) / (16 * 28)
        assert np.ptp(x) / 2 == pytest.approx(2.5 * 28 * scale, rel=0.03)
        page.mouse.move(box["x"] + box["width"] / 2 + 1, box["y"] + box["height"] / 2 + 1)
        tile = np.abs(view.xy - peaks[number]["xy"]).sum(axis=1).argmin()
        assert page.locator("#hover b").text_content() == f"{view.values(1)[tile]:#.3g}".rstrip(".")
    buttons.nth(1).click()
    settle(page)
    assert buttons.nth(1).get_attribute("aria-current") == "true"
    press(page, "Escape")
    assert not (map_pixels(page)[..., :3] == MARK).all(axis=-1).any()


def test_keys_and_wheel_move(server, view, opened):
    page = opened(server)
    press(page, "t")

    def place():
        y, x = np.nonzero(map_pixels(page)[..., 3])
        return np.array([x.min(), x.max(), y.min(), y.max()])

    def scale():
        """Screen pixels per slide pixel, from the scale bar."""
        length, unit = page.locator("#bar span").text_content().split()
        width = page.evaluate("() => document.querySelector('#bar i').getBoundingClientRect().width")
        return width * view.slide.mpp / (float(length) * {"mm": 1000, "µm": 1}[unit])

    start = place()
    assert scale() == pytest.approx(home(page, view.slide.size_px)[0], rel=0.01)
    press(page, "-")
    assert 0.8 < np.ptp(place()[:2]) / np.ptp(start[:2]) < 0.95, "not out of sight"
    there = place()
    press(page, "ArrowRight", "ArrowDown")
    assert place() - there == pytest.approx([-80, -80, -80, -80], abs=2)
    before = scale()
    press(page, "+", "+")
    assert scale() == pytest.approx(1.6**2 * before, rel=0.01)
    press(page, "0")
    assert np.abs(place() - start).max() <= 1
    page.mouse.move(700, 400)
    before = scale()
    page.mouse.wheel(0, -300)
    settle(page)
    assert scale() > 1.1 * before
    page.get_by_role("button", name="Whole slide").click()
    settle(page)
    page.mouse.move(700, 400)
    page.mouse.down()
    page.mouse.move(700, 450, steps=5)
    page.mouse.up()
    settle(page)
    assert (place() - start)[2] > 30
    there = place()
    press(page, *"rRf")  # would turn the slide, but not the map
    assert np.abs(place() - there).max() <= 1


def test_typing_finds_genes(server, opened):
    page = opened(server)
    press(page, "/")
    page.keyboard.type("o")
    found = page.locator("#found li")
    assert found.all_text_contents() == ["COLUMN", "ROW"]
    page.keyboard.press("ArrowDown")
    assert page.locator("#found li[aria-selected=true]").text_content() == "ROW"
    page.keyboard.press("Escape")
    assert page.locator("#gene").input_value() == "COLUMN", "nothing was chosen"
    press(page, "/")
    page.keyboard.type("nonesuch")
    assert "No gene of this prediction" in page.locator("#hint").text_content()
    page.keyboard.press("Escape")
    press(page, "/")
    page.keyboard.type("reference")
    press(page, "Enter")
    assert page.locator("#unit").text_content().startswith("0: like tissue")


def test_dark_and_light(server, opened):
    page = opened(server, color_scheme="dark")
    is_dark = "() => Number(getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0]) < 60"
    assert page.evaluate(is_dark)
    page.get_by_role("button", name="Light").click()
    assert not page.evaluate(is_dark)
    page.emulate_media(color_scheme="light")
    settle(page)
    page.emulate_media(color_scheme="dark")
    settle(page)
    assert page.evaluate(is_dark), "the system's wish is followed when it changes"


def test_a_narrow_window_is_usable(server, opened):
    page = opened(server)
    page.set_viewport_size({"width": 400, "height": 800})
    settle(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 400
    assert page.locator("#gene").is_visible()


def test_two_windows_show_two_genes(server, view, opened):
    pages = [opened(server), opened(server)]
    for page, name in zip(pages, ("ROW", "CALM"), strict=True):
        press(page, "t", *20 * "]")
        choose(page, name)
    for page, name in zip(pages, ("ROW", "CALM"), strict=True):
        assert page.locator("body").get_attribute("data-layer") == name
        page.bring_to_front()
        found = at_tiles(page, view)[:, :3]
        assert np.abs(found - expected_colours(view, view.layers.index(name))).max() <= 1


def test_the_address_others_see_leads_in_once(view, browser):
    with served(view) as server:
        first, second = (browser.new_context().new_page() for _ in range(2))
        first.goto(server.address_once)
        first.wait_for_selector("body[data-layer]")
        assert first.url == server.address
        assert second.goto(server.address_once).status == 403
        for page in (first, second):
            page.context.close()


def test_a_prediction_without_tissue(folder, tmp_path, opened):
    predicted = named_prediction(folder)
    predicted.uns["mclstexp"].pop("tissue")
    del predicted.obs["tissue"]
    view = SlideView(folder / "corner.png", write_prediction(predicted, tmp_path / "bare.h5ad"))
    with served(view) as server:
        page = opened(server)
        assert page.locator("#outline").is_hidden()
        press(page, *20 * "]")
        assert np.abs(at_tiles(page, view)[:, :3] - expected_colours(view, 0)).max() <= 1


def test_tiles_off_a_grid_are_drawn_where_they_are(folder, tmp_path, opened):
    predicted = named_prediction(folder)
    predicted.obsm["spatial"] = predicted.obsm["spatial"] + np.random.default_rng(0).uniform(
        -4, 4, (predicted.n_obs, 2)
    )
    view = SlideView(folder / "corner.png", write_prediction(predicted, tmp_path / "off.h5ad"))
    with served(view) as server:
        page = opened(server)
        press(page, "t", *20 * "]")
        assert np.abs(at_tiles(page, view)[:, :3] - expected_colours(view, 0)).max() <= 1


def test_another_slide_of_the_same_name_is_said(view, opened, monkeypatch):
    monkeypatch.setattr(SlideView, "belongs", lambda self: False)
    with served(view) as server:
        page = opened(server)
        choose(page, "ROW")
        assert "not the slide that was predicted" in page.locator("#trouble").text_content()


def test_a_server_that_ended_is_said(server, opened):
    page = opened(server, well=False)
    page.context.set_offline(True)
    page.keyboard.press("/")
    page.keyboard.type("calm")
    page.keyboard.press("Enter")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "still running" in page.locator("#trouble").text_content()
    page.context.set_offline(False)
    choose(page, "ROW")
    assert page.locator("#trouble").is_hidden()


@pytest.fixture(scope="module")
def huge(tmp_path_factory):
    """A slide of 30,000 by 30,000 pixels, empty but for one place of cells of 4 pixels, each of its own grey."""
    folder = tmp_path_factory.mktemp("huge")
    cells = np.random.default_rng(0).integers(0, 256, (BLOCK_PX * 4 // CELL_PX,) * 2).astype(np.uint8)
    pattern = np.repeat(np.kron(cells, np.ones((CELL_PX, CELL_PX), np.uint8))[..., None], 3, axis=-1)
    write_pyramid(folder / "huge.tif", pattern, at=40)
    slide = open_slide(folder / "huge.tif")
    predicted = made_prediction(slide, spec=TileSpec(SIDE_PX, 0.5), stride_um=SIDE_PX / 2, n_genes=5)
    centre = 42 * BLOCK_PX
    away = np.hypot(*(predicted.obsm["spatial"] - centre).T)
    predicted.X[:, 4] = np.exp(-((away / 2000) ** 2))
    predicted.uns["mclstexp"].update(slide_file="huge.tif", slide_sha256=slide.fingerprint())
    write_prediction(predicted, folder / "huge.h5ad")
    return SlideView(folder / "huge.tif", folder / "huge.h5ad", gene="G0"), cells, 40 * BLOCK_PX


def write_pyramid(path, pattern, *, at):
    """Write a pyramid that is `pattern` from block (at, at) on; blocks without it are left out of the file."""
    sizes = [HUGE_PX >> level for level in range(6)]
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level, size in enumerate(sizes):
            small = np.asarray(Image.fromarray(pattern).reduce(2**level))
            file.write(
                (block(small, y, x, near=(at * BLOCK_PX) >> level) for y, x in corners(size)),
                shape=(size, size, 3),
                dtype=np.uint8,
                tile=(BLOCK_PX, BLOCK_PX),
                compression="zlib",
                photometric="rgb",
                subifds=len(sizes) - 1 if level == 0 else None,
                subfiletype=int(level > 0),
                resolution=(20_000 / 2**level,) * 2,
                resolutionunit="CENTIMETER",
                metadata=None,
            )


def corners(size):
    return ((y, x) for y in range(0, size, BLOCK_PX) for x in range(0, size, BLOCK_PX))


def block(small, y, x, *, near):
    rows, columns = (np.arange(start, start + BLOCK_PX) - near for start in (y, x))
    down, across = ((of >= 0) & (of < len(small)) for of in (rows, columns))
    if x + y and not (down.any() and across.any()):  # tifffile must have the first
        return None
    pixels = np.full((BLOCK_PX, BLOCK_PX, 3), 255, np.uint8)
    pixels[np.ix_(down, across)] = small[np.ix_(rows[down], columns[across])]
    return pixels


def test_a_huge_slide_is_sharp_where_it_is_looked_at(huge, opened):
    view, cells, near = huge
    with served(view) as server:
        page = opened(server)
        press(page, "t", "n", "m")
        x, y = view.peaks(4)["peaks"][0]["xy"]
        assert max(abs(x - near - 1024), abs(y - near - 1024)) < 500, "the place that is highest"
        box = page.locator("#view").bounding_box()
        press(page, *6 * "+")
        scale = min(box["width"], box["height"]) / (16 * SIDE_PX) * 1.6**6
        assert scale > 1, "a pixel of the slide is more than one of the screen"
        shown = screen(page)[..., 0].astype(float)
        # cells a good way from buttons and navigator
        rows, columns = (np.arange(int((c - near) / CELL_PX) - 15, int((c - near) / CELL_PX) + 15) for c in (y, x))
        at_x = ((columns + 0.5) * CELL_PX + near - x) * scale + box["width"] / 2
        at_y = ((rows + 0.5) * CELL_PX + near - y) * scale + box["height"] / 2
        found = shown[np.ix_(at_y.astype(int), at_x.astype(int))]
        assert np.abs(found - cells[np.ix_(rows, columns)]).mean() < 12
        assert np.corrcoef(found.ravel(), cells[np.ix_(rows, columns)].ravel())[0, 1] > 0.98


def test_a_huge_slide_asks_for_little(huge, opened):
    view, *_ = huge
    with served(view) as server:
        page = opened(server)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        press(page, "n", "+", "+", "+", "+")
        tiles = [url for url in asked if re.search(r"tiles/\d+/", url)]
        assert 0 < len(tiles) < 120
