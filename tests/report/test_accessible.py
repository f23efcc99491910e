"""Both pages are accessible: axe-core finds nothing serious, in light and dark, wide and narrow."""

from pathlib import Path

import pytest

from explorer_pixels import SETTLED
from made_outcome_results import made_files
from made_outcome_results import made_results as made_outcome_results
from made_pairs import made_results
from mclstexp.io.predictions import write_prediction
from mclstexp.report.build_page import write_report
from mclstexp.report.cohort_page import write_cohort_page
from mclstexp.report.viewer_data import SlideView
from viewed_slide import judged_prediction, served

pytestmark = pytest.mark.slow
AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
LOOKS = [("light", 1280), ("dark", 390)]


@pytest.fixture(scope="module")
def axe():
    if not AXE.is_file():
        pytest.skip("no axe-core: `npm ci` in frontend/")
    return AXE.read_text("utf-8")


@pytest.fixture
def opened(browser):
    contexts = []

    def opened(address, *, look, width):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=look, bypass_csp=True)
        contexts.append(context)
        page = context.new_page()
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()


def serious(page, axe):
    """What axe-core calls serious or critical: rule and places."""
    page.evaluate(axe)
    found = page.evaluate("() => axe.run()")["violations"]
    return [(v["id"], [n["target"] for n in v["nodes"]]) for v in found if v["impact"] in ("serious", "critical")]


@pytest.mark.parametrize(("look", "width"), LOOKS)
def test_the_viewer(folder, tmp_path, axe, opened, look, width):
    view = SlideView(folder / "corner.png", write_prediction(judged_prediction(folder), tmp_path / "judged.h5ad"))
    with served(view) as server:
        page = opened(server.address, look=look, width=width)
        page.wait_for_selector("body[data-layer]")
        assert serious(page, axe) == []
        page.keyboard.press("b")
        page.wait_for_selector("#overlay-2")
        page.keyboard.press("d")
        for details in page.locator("details > summary").all():
            details.click()
        page.locator("#gene").click()
        page.wait_for_selector("#found:not([hidden])")
        assert serious(page, axe) == []


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("accessible")
    return write_report(made_results(folder / "results"), folder / "report.html", domains="spatial_kmeans")


@pytest.mark.parametrize(("look", "width"), LOOKS)
def test_the_report(report, axe, opened, look, width):
    page = opened(report.as_uri(), look=look, width=width)
    page.wait_for_selector("#explorer[data-gene]")
    page.evaluate(SETTLED)
    assert serious(page, axe) == []
    for details in page.locator("details:visible > summary").all():
        details.click()
    assert serious(page, axe) == []


@pytest.fixture(scope="module")
def cohort_page(tmp_path_factory):
    files = made_files(tmp_path_factory.mktemp("cohort"))
    results = made_outcome_results(files, files / "results")
    return write_cohort_page(results, files / "cohort.html", slides=str(files / "slides"))


@pytest.mark.parametrize(("look", "width"), LOOKS)
def test_the_page_of_a_cohort(cohort_page, axe, opened, look, width):
    page = opened(cohort_page.as_uri(), look=look, width=width)
    assert serious(page, axe) == []
    for details in page.locator("details:visible > summary").all():
        details.click()
    assert serious(page, axe) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_page_of_a_cohort_fits_a_sheet_of_a4(cohort_page, opened):
    page = opened(cohort_page.as_uri(), look="light", width=718)
    page.emulate_media(media="print")
    assert beyond_a_sheet(page) == []


def test_the_report_fits_a_sheet_of_a4(report, opened):
    page = opened(report.as_uri(), look="light", width=718)
    page.wait_for_selector("#explorer[data-gene]")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.evaluate(SETTLED)
    assert beyond_a_sheet(page) == []


def beyond_a_sheet(page):
    """What reaches beyond 210 mm less the browser's margins, which is 718 pixels."""
    return page.evaluate(
        """() => [...document.querySelectorAll("main *, header *")]
            .filter((e) => e.checkVisibility() && !e.closest(".unseen, nav") && e.getBoundingClientRect().right > 719)
            .map((e) => `${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`)"""
    )
