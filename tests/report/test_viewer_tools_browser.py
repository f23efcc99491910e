"""What a reader does with the viewer in a real browser: compares genes, sets colours, measures, saves."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mclstexp.io.predictions import write_prediction
from mclstexp.io.regions import read_geojson
from mclstexp.report.viewer_data import SlideView
from viewed_slide import judged_prediction, served
from viewer_screen import at_tiles, choose, expected_colours, home, map_pixels, press, settle, windows

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(browser):
    with windows(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def judged(folder, tmp_path_factory):
    path = write_prediction(judged_prediction(folder), tmp_path_factory.mktemp("judged") / "judged.h5ad")
    return SlideView(folder / "corner.png", path)


@pytest.fixture(scope="module")
def judged_server(judged):
    with served(judged) as server:
        yield server


def test_it_opens_on_the_tissue(server, opened):
    page = opened(server, whole=False)
    drawn = map_pixels(page)[..., 3] > 0
    height, width = drawn.shape
    y, x = np.nonzero(drawn)
    reach = max(np.ptp(x) / width, np.ptp(y) / height)
    assert 0.9 < reach < 1, "as close as all of it can be seen"
    middle = np.array([x.min() + x.max(), y.min() + y.max()]) / 2
    assert np.abs(middle - [width / 2, height / 2]).max() < 0.02 * width
    press(page, "0")
    assert np.ptp(np.nonzero(map_pixels(page)[..., 3] > 0)[1]) < 0.95 * np.ptp(x)
    press(page, "h")
    assert np.abs(np.nonzero(map_pixels(page)[..., 3] > 0)[1].min() - x.min()) <= 1


def test_colours_and_where_they_end_are_the_readers(judged_server, judged, opened):
    page = opened(judged_server)
    press(page, "t", *20 * "]")
    assert (page.locator("#low").input_value(), page.locator("#high").input_value()) == ("-10", "90")
    assert "26 % of the range that was measured in training" in page.locator("#range").text_content()
    assert np.abs(at_tiles(page, judged)[:, :3] - expected_colours(judged, 0)).max() <= 1
    page.locator("#low").fill("5")
    page.locator("#high").fill("20")
    page.keyboard.press("Tab")
    settle(page)
    expected = expected_colours(judged, 0, limits=(5, 20))
    assert np.abs(at_tiles(page, judged)[:, :3] - expected).max() <= 1
    page.locator("#high").fill("1")  # below the other: put back
    page.keyboard.press("Tab")
    assert page.locator("#high").input_value() == "20"
    page.select_option("#colours", "cividis")
    settle(page)
    expected = expected_colours(judged, 0, limits=(5, 20), colours="cividis")
    assert np.abs(at_tiles(page, judged)[:, :3] - expected).max() <= 1
    page.get_by_role("button", name="Stretch to this slide").click()
    settle(page)
    expected = expected_colours(judged, 0, limits=judged.peaks(0)["own"], colours="cividis")
    assert np.abs(at_tiles(page, judged)[:, :3] - expected).max() <= 1
    page.get_by_role("button", name="Reset").click()
    assert page.locator("#high").input_value() == "90"
    assert page.get_by_role("button", name="Reset").is_hidden()


def test_a_flat_prediction_looks_flat(judged_server, judged, opened):
    page = opened(judged_server)
    press(page, "t", *20 * "]")
    choose(page, "CALM")
    assert (
        "1 % of the range that was measured in training. The map is nearly flat."
        in page.locator("#range").text_content()
    )
    found = at_tiles(page, judged)
    found = found[np.isfinite(judged.values(2))]
    assert np.ptp(found[:, :3], axis=0).max() <= 6


def test_a_verdict_stands_beside_its_gene(judged_server, server, opened):
    page = opened(judged_server)
    said = page.locator("#verdict").text_content()
    assert said == (
        "predictable: PCC 0.50, where counts this noisy allow 0.80; beyond the density of cells, 63 % of what they "
        "allow; tested on patients A, B (ridge)."
    )
    assert page.locator("#title").text_content() == "COLUMN predictable"
    choose(page, "DARK")
    assert page.locator("#verdict").text_content() == "This gene was not tested."
    press(page, "/")
    page.keyboard.type("o")
    assert page.locator("#found li").all_text_contents() == ["COLUMNpredictable", "ROWdoubtful"]
    assert opened(server).locator("#verdict").text_content().startswith("Not tested: this file does not say")


def test_genes_are_ranked_and_chosen_by_verdict(judged_server, judged, opened):
    page = opened(judged_server)
    page.locator("#genes summary").click()

    def names():
        return [text.split(",")[0] for text in page.locator("#ranking button > span:nth-child(2)").all_text_contents()]

    spread = judged.describe()["spread"]
    assert names() == sorted(judged.layers[:4], key=lambda name: -spread[judged.layers.index(name)])
    page.select_option("#order", "Most trusted")
    assert names() == ["COLUMN", "ROW", "CALM", "DARK"]
    page.locator("#genes summary").focus()
    press(page, ".")
    assert page.locator("body").get_attribute("data-layer") == "ROW"
    assert page.locator("#ranking [aria-current=true]").count() == 1
    page.select_option("#of", "doubtful")
    assert names() == ["ROW"]
    page.select_option("#of", "all")
    page.select_option("#order", "A to Z")
    assert names() == sorted(names())
    page.locator("#ranking button").first.click()
    page.wait_for_selector("body[data-layer=CALM]")


def test_two_genes_move_together(judged_server, judged, opened):
    page = opened(judged_server)
    press(page, "t", "b")
    page.wait_for_selector("#overlay-2")
    page.locator("#gene-2").fill("row")
    page.locator("#gene-2").press("Enter")
    settle(page)

    def places():
        found = []
        for number in ("", "-2"):
            x, y = np.nonzero(map_pixels(page, f"overlay{number}")[..., 3].T)
            found.append([x.min(), x.max(), y.min(), y.max()])
        return np.array(found)

    start = places()
    assert np.abs(start[0] - start[1]).max() <= 1
    colours = [map_pixels(page, f"overlay{number}") for number in ("", "-2")]
    assert (colours[0] != colours[1]).any()
    for number in ("", "-2"):
        box = page.locator(f"#view{number}").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.wheel(0, 200)
        settle(page)
        now = places()
        assert np.abs(now[0] - now[1]).max() <= 1
        assert (now[0] != start[0]).any()
        start = now
    press(page, "h")
    assert np.abs(np.diff(places(), axis=0)).max() <= 1
    corner = page.locator("#view-2").bounding_box()
    x, y = np.argwhere(map_pixels(page, "overlay-2")[..., 3].T > 0)[0]
    page.mouse.move(float(corner["x"] + x + 3), float(corner["y"] + y + 3))
    said = page.locator("#hover-2").inner_text()
    assert all(name in said for name in ("COLUMN", "ROW")), "one place, both values"
    press(page, "b")
    assert page.locator("#overlay-2").count() == page.locator("#gene-2").count() == 0


def test_distances_are_measured(server, view, opened):
    page = opened(server)
    scale, corner = home(page, view.slide.size_px)
    box = page.locator("#view").bounding_box()
    start = np.array([box["x"], box["y"]]) + corner

    def move(x, y):
        page.mouse.move(*(start + scale * np.array([x, y])), steps=3)

    before = map_pixels(page)
    page.get_by_role("button", name="Measure").click()
    for x, y in ((300, 100), (600, 500)):
        move(x, y)
        page.mouse.down()
        page.mouse.up()
        page.wait_for_timeout(600)  # two clicks, no double click
    assert page.locator("#length").text_content() == "2.00 mm"  # 500 pixels of 4 µm
    assert (map_pixels(page) != before).any()
    move(100, 100)
    page.mouse.down()
    move(200, 100)
    page.mouse.up()
    settle(page)
    assert page.locator("#length").text_content() == "400 µm"
    press(page, "Escape")
    assert (map_pixels(page) == before).all(), "neither moved nor left behind"
    page.locator("#view .openseadragon-canvas").first.focus()
    for key in ("d", "Enter", "ArrowRight", "Enter"):
        press(page, key)
    assert page.locator("#length").text_content() == f"{float(f'{80 / scale * 4:.3g}'):g} µm"


def test_what_is_seen_is_saved(judged_server, judged, opened, tmp_path):
    page = opened(judged_server)
    press(page, "t", *20 * "]")
    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG of this view").click()
    assert saved.value.suggested_filename == "corner-COLUMN.png"
    picture = np.asarray(Image.open(BytesIO(Path(saved.value.path()).read_bytes())).convert("RGB")).astype(int)
    box = page.locator("#view").bounding_box()
    scale, corner = home(page, judged.slide.size_px)
    x, y = (judged.xy * scale + corner).astype(int).T
    inside = y < box["height"] - 60  # not under the scale bar
    found = picture[y + 76, x + 20][inside]
    assert np.abs(found - expected_colours(judged, 0)[inside]).max() <= 1
    with page.expect_download() as saved:
        page.get_by_role("link", name="Tiles for QuPath").click()
    assert saved.value.suggested_filename == "corner-COLUMN.geojson"
    path = tmp_path / "tiles.geojson"
    path.write_bytes(Path(saved.value.path()).read_bytes())
    assert len(read_geojson(path, slide=judged.slide)) == len(judged.xy)
    values = [f["properties"]["measurements"].get("COLUMN") for f in json.loads(path.read_text())["features"]]
    np.testing.assert_array_equal(np.array(values, np.float32), judged.values(0))
