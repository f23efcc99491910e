"""A browser, the explorer's page opened in it, and a slide that is served to the viewer."""

import shutil

import pytest

from explorer_page import make_page
from explorer_pixels import N_COLUMNS, N_ROWS, SETTLED
from mclstexp.report.viewer_data import SlideView
from viewed_slide import served, write_slide


@pytest.fixture(scope="module")
def browser():
    """A browser without a window; without one installed, what asks for it is skipped."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_slide(tmp_path_factory.mktemp("view"))


@pytest.fixture(scope="module")
def view(folder):
    return SlideView(folder / "corner.png", folder / "corner.h5ad")


@pytest.fixture(scope="module")
def server(view):
    with served(view) as server:
        yield server
