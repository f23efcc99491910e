"""Predictions that are looked at, and results that become a page."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from fuzz.case import Target
from made_pairs import made_results
from mclstexp.analysis.domains import find_domains
from mclstexp.api.predictions import predict_files
from mclstexp.evaluation.config import DataConfig
from mclstexp.io.models import save_model
from mclstexp.io.predictions import read_prediction
from mclstexp.methods import create
from mclstexp.report import page_domains, page_figures
from mclstexp.report.build_page import write_report
from mclstexp.report.viewer_data import SlideView
from small_methods import small_sections
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


def _make_predicted(folder: Path) -> None:
    """Predict one of two sections, whose files lie beside the results."""
    home = folder / "one of two"
    sections = small_sections(2, n_spots_side=4)
    save_model(create("coordinates", k=3).fit(sections), home / "run")
    for number, section in enumerate(sections):
        (home / str(number)).mkdir()
        counts = section.counts.copy()
        counts.obsm["spatial"], counts.uns["mpp"] = np.asarray(section.tiles.xy), 4.0
        counts.write_h5ad(home / str(number) / f"{section.id}.h5ad")
        Image.fromarray(section.tiles.slide.thumbnail(10_000)).save(home / str(number) / f"{section.id}.png")
    _predict(home, 0)


def _use_predicted(folder: Path) -> None:
    """Predict the other one, too: what is there is taken, made again, or refused, and never an error."""
    for number in (0, 1):
        _predict(folder, number)
    for section in small_sections(2, n_spots_side=4):
        predicted = read_prediction(folder / "out" / f"{section.id}.h5ad")
        assert len(predicted) == len(section), "a prediction of other spots"


def _predict(home: Path, number: int) -> None:
    predict_files(home / "run", DataConfig(str(home / str(number))), out=home / "out")


TARGETS = (
    Target("predicted", _make_predicted, _use_predicted, files=("out/*.h5ad",)),
    Target("view", _make_view, _use_view, files=("corner.*",)),
    Target("results", _make_results, _use_results),
)
