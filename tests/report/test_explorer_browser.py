"""The explorer in a real browser: colours, zoom, hovering and the downloaded picture, on a page with known values."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from explorer_page import DOMAINS, GROUND, colours, section_values
from explorer_pixels import (
    N_COLUMNS,
    N_ROWS,
    PIXEL,
    SETTLED,
    blended,
    canvases,
    choose,
    expected,
    mouse,
    places,
    point,
    shown,
)

pytestmark = pytest.mark.slow
SOME_SPOTS = [1, 5, 20, 30, N_COLUMNS * N_ROWS - 1]


@pytest.mark.parametrize("gene", ["COLUMN", "ROW", "G7"])
def test_spots_have_the_colours_of_their_values(page, gene):
    choose(page, gene)
    column = {"COLUMN": 0, "ROW": 1, "G7": 7}[gene]
    _, truth, predicted, _ = section_values(N_COLUMNS, N_ROWS, 1200, 0)
    for spot in SOME_SPOTS:
        known, guess = truth[spot, column], predicted[spot, column]
        np.testing.assert_allclose(shown(page, 0, spot)[:3], expected("value", known, 0, 3), atol=6)
        np.testing.assert_allclose(shown(page, 1, spot)[:3], expected("value", guess, 0, 3), atol=6)
        np.testing.assert_allclose(shown(page, 2, spot)[:3], expected("difference", guess - known, -3, 3), atol=9)


def test_what_was_not_measured_is_grey(page):
    choose(page, "ROW")
    for view in (0, 2):
        np.testing.assert_allclose(shown(page, view, 0)[:3], blended("#c8c8c8"), atol=5)
        assert "no value" in page.locator(".legend").nth(view).inner_text()
    assert "no value" not in page.locator(".legend").nth(1).inner_text()


def test_views_show_what_they_are_told(page):
    views = page.locator(".view select")
    offered = views.nth(0).locator("option").all_inner_texts()
    assert len(offered) == 8
    views.nth(0).select_option("domains-truth")
    views.nth(1).select_option("width")
    views.nth(2).select_option("image")
    choose(page, "ROW")
    np.testing.assert_allclose(shown(page, 0, 1)[:3], blended(DOMAINS["left"]), atol=5)
    np.testing.assert_allclose(shown(page, 0, 6)[:3], blended(DOMAINS["right"]), atol=5)
    assert page.locator(".legend").nth(0).inner_text().split() == ["left", "right"]
    half = section_values(N_COLUMNS, N_ROWS, 2, 0)[3]
    np.testing.assert_allclose(shown(page, 1, 20)[:3], expected("width", half[20, 1], 0, 1), atol=9)
    np.testing.assert_allclose(shown(page, 2, 20)[:3], GROUND, atol=5)
    assert page.locator(".legend").nth(1).inner_text().split("\n")[-1] == "± log10(1 + counts per 10,000)"


def test_the_prediction_can_have_a_scale_of_its_own(page):
    page.locator("#section").select_option("1")
    page.locator(".view select").nth(1).select_option("pattern")
    choose(page, "G9")
    guess = np.sort(section_values(7, 5, 1200, 1)[2][:, 9])
    low, high = (guess[round(share * 34)] for share in (0.01, 0.99))
    ends = page.locator(".ends").nth(1).inner_text().split()
    assert [*map(float, ends)] == [pytest.approx(low, abs=0.02), pytest.approx(high, abs=0.02)]
    assert page.locator(".ends").nth(0).inner_text().split() == ["0", "3"], "truth keeps the shared scale"


def test_opacity_lets_the_tissue_through(page):
    page.locator("#opacity").fill("0")
    page.evaluate(SETTLED)
    np.testing.assert_allclose(shown(page, 0, 20)[:3], GROUND, atol=5)
    page.locator("#opacity").fill("100")
    page.evaluate(SETTLED)
    value = 3 * (20 % N_COLUMNS) / (N_COLUMNS - 1)
    np.testing.assert_allclose(
        shown(page, 0, 20)[:3], blended(colours("value")[int(value / 3 * 256)], opacity=1), atol=6
    )


def test_gaps_are_filled_and_spots_have_their_size(page):
    between = places(page)[[20, 21]].mean(axis=0).tolist()
    np.testing.assert_allclose(page.evaluate(PIXEL, [0, *between])[:3], GROUND, atol=5)
    page.keyboard.press("f")
    page.evaluate(SETTLED)
    beside = (places(page)[20] * 0.6 + places(page)[21] * 0.4).tolist()
    assert np.abs(np.subtract(page.evaluate(PIXEL, [0, *beside])[:3], GROUND)).max() > 40


def test_the_wheel_zooms_and_dragging_moves_all_views_alike(page):
    page.locator(".view select").nth(1).select_option("truth")
    page.evaluate(SETTLED)
    first = canvases(page)
    assert first[0] == first[1] != first[2]
    bar = page.locator(".scale-bar span").first.inner_text()
    point(page, 20)
    page.mouse.wheel(0, -500)
    page.evaluate(SETTLED)
    closer = canvases(page)
    assert closer[0] == closer[1] != first[0]
    factor = 2 ** (500 * 0.002)
    x, y = places(page)[20]
    value = 3 * (20 % N_COLUMNS) / (N_COLUMNS - 1)
    for view in (0, 1):  # the spot under the pointer stays there
        np.testing.assert_allclose(page.evaluate(PIXEL, [view, x, y])[:3], expected("value", value, 0, 3), atol=6)
        at = places(page, zoom=(factor, x * (1 - factor), y * (1 - factor)))[21]
        right = 3 * (21 % N_COLUMNS) / (N_COLUMNS - 1)
        np.testing.assert_allclose(page.evaluate(PIXEL, [view, *at])[:3], expected("value", right, 0, 3), atol=6)
    assert page.locator(".scale-bar span").first.inner_text() != bar
    page.mouse.down()
    page.mouse.move(*[side + 35 for side in mouse(page, 20)], steps=5)
    page.mouse.up()
    page.evaluate(SETTLED)
    moved = canvases(page)
    assert moved[0] == moved[1] != closer[0]
    np.testing.assert_allclose(page.evaluate(PIXEL, [1, x + 35, y + 35])[:3], expected("value", value, 0, 3), atol=6)
    page.locator("#whole").click()
    page.wait_for_timeout(300)
    page.evaluate(SETTLED)
    assert canvases(page) == first


def test_hovering_says_what_is_known_of_a_spot(page):
    choose(page, "ROW")
    point(page, 20, view=1)
    said = page.locator(".hover").inner_text().split("\n")
    known = 3 * (20 // N_COLUMNS) / (N_ROWS - 1)
    assert said[0] == "Spot 21"
    facts = dict(zip(said[1::2], said[2::2], strict=True))
    assert float(facts["Truth"]) == pytest.approx(known, abs=0.01)
    guess, half = map(float, facts["Prediction"].split(" ± "))
    assert (guess, half) == (pytest.approx(3 - known, abs=0.01), pytest.approx(known / 3, abs=0.01))
    assert float(facts["Difference"].replace("\N{MINUS SIGN}", "-")) == pytest.approx(3 - 2 * known, abs=0.02)
    assert (facts["Domain, truth"], facts["Depth"]) == ("right", "1,020 counts")
    point(page, 0)
    assert "Truth\n\N{EN DASH}" in page.locator(".hover").inner_text()
    assert "Domain, prediction\nnone" in page.locator(".hover").inner_text()
    page.mouse.move(5, 5)
    assert page.locator(".hover").is_hidden()


def test_the_view_is_downloaded_as_a_picture(page):
    choose(page, "ROW")
    with page.expect_download() as download:
        page.locator("#download").click()
    assert download.value.suggested_filename == "ROW_S1.png"
    picture = Image.open(BytesIO(download.value.path().read_bytes()))
    assert picture.format == "PNG"
    width, height = page.locator(".stage").first.evaluate("(e) => [e.clientWidth, e.clientHeight]")
    assert picture.width == 2 * (2 * 20 + 3 * width + 2 * 16)
    pixels = np.asarray(picture.convert("RGB")).astype(int)
    for view, kind in enumerate(["value", "value", "difference"]):
        x, y = places(page)[20] + (20 + view * (width + 16), 76)
        known = 3 * (20 // N_COLUMNS) / (N_ROWS - 1)
        value = [known, 3 - known, 3 - 2 * known][view]
        wanted = expected(kind, value, *((-3, 3) if kind == "difference" else (0, 3)))
        np.testing.assert_allclose(pixels[round(2 * y), round(2 * x)], wanted, atol=9)
    assert (pixels[: 2 * 40].min(axis=2) < 100).sum() > 200, "a title is written"
    below = pixels[2 * (76 + height + 12) + 8]
    assert np.abs(np.diff(below, axis=0)).sum() > 100, "colour bars are drawn"
