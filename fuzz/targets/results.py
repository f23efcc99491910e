"""Predictions that are looked at, and results that become a page."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import numpy as np

from fuzz.case import Target
from made_pairs import made_results
from mclstexp.analysis.domains import find_domains
from mclstexp.io.predictions import read_prediction
from mclstexp.report import page_domains, page_figures
from mclstexp.report.build_page import write_report
from mclstexp.report.viewer_data import SlideView
from viewed_slide import write_slide


def _make_view(folder: Path) -> None:
    (folder / "slide").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_slide(folder / "slide")


def _use_view(folder: Path) -> None:
    read_prediction(folder / "corner.h5ad")
    view = SlideView(folder / "corner.png", folder / "corner.h5ad")
    view.describe()
    assert np.ndim(view.values(0)) == 1, "values of another shape"


def _make_results(folder: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made_results(folder / "results")


def _use_results(folder: Path) -> None:
    """Write the page without its drawings, which read nothing from outside and take most of the time."""
    nothing = page_figures.Drawing("data:,", "nothing", "nothing")
    page_figures.draw_errors = page_figures.draw_ranking = lambda *_: nothing
    page_figures.draw_methods = lambda _: []
    page_domains.WAYS, page_domains.find_domains = ("paper",), partial(find_domains, n_domains=3)
    page = write_report(folder, folder.parent / "page.html")
    assert page.stat().st_size > 10_000, "an empty page"
    page.unlink()


TARGETS = (
    Target("view", _make_view, _use_view, files=("corner.*",)),
    Target("results", _make_results, _use_results),
)
