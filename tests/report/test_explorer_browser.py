"""The explorer and the table of genes in a real browser, on a page whose values are known."""

import importlib.util
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer_page import DOMAINS, GROUND, SIZE_PX, colours, make_page, section_values

CHROMIUM = shutil.which("chromium")
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "report_frames.py"
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium")]
N_COLUMNS, N_ROWS = 8, 6
PIXEL = """([view, x, y]) => {
  const canvas = document.querySelectorAll(".map")[view];
  const ratio = canvas.width / canvas.clientWidth;
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  context.drawImage(canvas, -Math.round(x * ratio), -Math.round(y * ratio));
  return [...context.getImageData(0, 0, 1, 1).data];
}"""
SETTLED = "() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 250))"


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(make_page(((N_COLUMNS, N_ROWS), (7, 5)), n_genes=1200), encoding="utf-8")
    return file.as_uri()


@pytest.fixture
def opened(browser, address):
    """Open the page; nothing may be asked of anybody, and no error be said, whatever is done on it."""
    pages, wrong = [], []

    def opened(*, width=1280, height=900, **context):
        page = browser.new_page(viewport={"width": width, "height": height}, **context)
        pages.append(page)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda sent: sent.url.startswith(("file:", "data:", "blob:")) or wrong.append(sent.url))
        page.goto(address)
        page.wait_for_selector("#explorer[data-gene]")
        page.evaluate(SETTLED)
        return page

    yield opened
    for page in pages:
        page.context.close()
    assert wrong == []


@pytest.fixture
def page(opened):
    return opened()


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


def canvases(page):
    return page.evaluate("[...document.querySelectorAll('.map')].map((canvas) => canvas.toDataURL())")


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


def mouse(page, spot):
    box = page.locator(".stage").first.bounding_box()
    x, y = places(page)[spot]
    return box["x"] + x, box["y"] + y


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


def test_what_is_shown_is_said_in_words(page):
    assert page.locator("#says").get_attribute("aria-live") == "polite"
    choose(page, "G3")
    said = page.locator("#says").inner_text()
    assert "G3 on section S1: PCC 0.87 (mean of 1 sections" not in said
    assert said.startswith("G3 on section S1: PCC 0.87. ")
    assert said.endswith("Doubtful: beyond chance, but below half of the ceiling.")
    page.locator("#section").select_option("1")
    page.evaluate(SETTLED)
    assert "on section S2: no PCC" in page.locator("#says").inner_text()
    alt = page.locator(".map").nth(1).get_attribute("aria-label")
    assert alt == "Prediction of G3, over section S2"


def test_all_can_be_done_from_the_keyboard(page):
    page.keyboard.press("n")
    assert page.locator("#explorer").get_attribute("data-gene") == "ROW"
    page.keyboard.press("p")
    page.keyboard.press("s")
    page.wait_for_selector("#explorer[data-section=S2]")
    page.keyboard.press("s")
    page.wait_for_selector("#explorer[data-section=S1]")
    page.evaluate(SETTLED)
    before = canvases(page)
    page.locator(".stage").first.focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    page.evaluate(SETTLED)
    assert canvases(page) != before
    page.keyboard.press("0")
    page.wait_for_timeout(300)
    page.keyboard.press("Shift+ArrowRight")
    first = page.locator("#spot-says").inner_text()
    page.keyboard.press("Shift+ArrowRight")
    second = page.locator("#spot-says").inner_text()
    number = [int(text.split()[1].rstrip(",")) for text in (first, second)]
    assert number[1] == number[0] + 1
    assert "Truth" in second
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.locator("#gene").focus()
    page.keyboard.type("nps0")
    assert page.locator("#explorer").get_attribute("data-gene") == "COLUMN", "letters that are typed do nothing else"


def rows(page):
    return page.locator("#gene-rows tbody tr[data-gene] th").all_inner_texts()


def test_the_table_sorts_searches_filters_and_opens_genes(page):
    assert rows(page)[:3] == ["COLUMN", "ROW", "G2"]
    assert len(rows(page)) < 80, "only what is in sight"
    head = page.locator("#gene-rows thead button", has_text="PCC")
    head.click()
    assert rows(page)[0] == "COLUMN"
    heading = page.locator("#gene-rows thead th").nth(2)
    assert heading.get_attribute("aria-sort") == "descending"
    head.click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert rows(page)[0] == "G1199"
    page.locator("#gene-rows thead button", has_text="S2").click()
    assert rows(page)[0] == "COLUMN"
    page.locator("#gene-rows thead button", has_text="S2").click()
    page.locator("#gene-rows thead button", has_text="S2").click()
    assert rows(page)[:3] == ["COLUMN", "ROW", "G2"]
    page.locator("#verdicts label", has_text="not predictable").click()
    assert rows(page) == ["ROW"]
    assert page.locator("#gene-count").inner_text() == "1 of 1,200 genes"
    page.locator("#gene-rows tbody th button").click()
    assert page.locator("#explorer").get_attribute("data-gene") == "ROW"
    page.locator("#verdicts label", has_text="all").click()
    page.locator("#gene-search").fill("g11")
    assert page.locator("#gene-count").inner_text() == "111 of 1,200 genes"
    page.locator("#gene-rows tbody th button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator("#explorer").get_attribute("data-gene") == "G110"
    assert page.locator("#gene").input_value() == "G110"
    assert page.locator("tr[aria-current=true] th").inner_text() == "G110"


def test_the_table_scrolls_to_its_end(page):
    page.locator(".tall").evaluate("(e) => (e.scrollTop = e.scrollHeight)")
    page.evaluate(SETTLED)
    assert rows(page)[-1] == "G1199"
    page.locator("#gene-rows tbody th button").last.focus()
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.textContent") == "COLUMN"
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.textContent") == "G1199"


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


def test_light_and_dark(opened):
    page = opened(color_scheme="dark")
    lightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + Number(b), 0)"
    assert page.evaluate(lightness) < 200
    page.locator("button.theme").click()
    assert page.evaluate(lightness) > 600
    page.emulate_media(color_scheme="light")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"{lightness} < 200")
    page.emulate_media(media="print")
    assert page.evaluate(lightness) > 600, "paper is white"


@pytest.mark.parametrize("width", [1280, 1024, 390])
def test_nothing_overflows_the_page(opened, width):
    page = opened(width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    seen = page.locator(".stage:visible").count()
    assert seen == (3 if width > 800 else 2)


def test_a_section_without_a_picture_is_shown(browser, tmp_path):
    file = tmp_path / "blank.html"
    file.write_text(make_page(picture=False), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    page.wait_for_selector("#explorer[data-gene]")
    page.evaluate(SETTLED)
    assert shown(page, 0, 20)[3] == pytest.approx(0.8 * 255, abs=3)
    assert "H&E alone" not in page.locator(".view select").first.inner_text()
    page.context.close()


def test_five_thousand_spots_move_smoothly(browser, tmp_path):
    """The machine may be busy with other work, so rates are held against those of a bare page at the same time."""
    script = importlib.util.spec_from_file_location("report_frames", BENCHMARK)
    frames = importlib.util.module_from_spec(script)
    script.loader.exec_module(frames)
    file = tmp_path / "large.html"
    file.write_text(make_page(((80, 63),), n_genes=1000), encoding="utf-8")
    assert file.stat().st_size < 30e6
    found = frames.measure_report(browser, file)
    bare = frames.measure_bare(browser, found.pop("canvas"))
    print({"bare": round(bare, 1), **{name: round(value, 1) for name, value in found.items()}})
    assert min(found["pan"], found["zoom"]) > 0.4 * bare
    assert found["change"] < 1000
