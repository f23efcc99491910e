"""The page of a comparison on a cohort: its numbers are those of the results folder, and it claims no more."""

import base64
import html
import io
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from made_outcome_results import N_KINDS, NUMBER, RESPONSE, SHADES, made_files, made_results
from mclstexp.cohort.results import read_summary
from mclstexp.core.errors import InputError
from mclstexp.report.build_page import write_report
from mclstexp.report.cohort_page import write_cohort_page
from mclstexp.report.cohort_study import default_model, read_cohort_study
from mclstexp.report.cohort_text import ONE_MODALITY, headline
from mclstexp.report.cohort_tiles import tile_pictures
from opened_page import text_of

MINUS = "\u2212"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return made_files(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="module")
def results(files, tmp_path_factory):
    return made_results(files, tmp_path_factory.mktemp("survival") / "results")


@pytest.fixture(scope="module")
def page(results, files, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "page.html"
    return write_cohort_page(results, out, slides=str(files / "slides")).read_text("utf-8")


def test_the_headline_is_the_difference_to_the_clinic_as_the_evaluation_wrote_it(page, results):
    row = read_summary(results).loc["prototype_x_pathway"]
    low, high = (f"{row[f'difference_{end}']:+.3f}".replace("-", MINUS) for end in ("low", "high"))
    said = f"prototype_x_pathway less clinical: {row['difference']:+.3f} in C [{low}, {high}], p"
    assert said.replace("-", MINUS) in text_of(page)
    assert re.search(r'<p class="big">prototype_x_pathway less clinical', page)


def test_every_score_is_that_of_the_summary(page, results):
    summary, text = read_summary(results), text_of(page)
    for _, row in summary.iterrows():
        assert f"{row['c']:.3f} [{row['c_low']:.3f}, {row['c_high']:.3f}]" in text
    row = summary.loc["prototype_x_pathway"]
    assert f"(χ² {row['log_rank']:.2f}, compared within folds)" in text
    assert f"slope {row['slope']:.2f}, {row['observed_expected']:.2f} events observed for each one foretold" in text


def test_what_a_reader_must_know_is_said(page):
    text = text_of(page)
    for said in (
        "Research use only",
        "Tested on 72 patients of 12 sites",
        "whole sites were held out in 2 folds",
        ONE_MODALITY,
        "No clinical use follows",
        "The clinic knows age, stage",
        "how many are at risk",
    ):
        assert said in text, said
    assert "Shares of kinds of tiles, pathway scores, and the products" in text
    assert "Parameters ---" not in text, "options stand in a table"


def test_nobody_is_named_and_nothing_is_asked_of_the_network(page, results):
    folds = pd.read_csv(results / "folds.csv")
    for name in folds["patient"]:
        assert name not in text_of(page)
    assert "default-src 'none'" in html.unescape(page)
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)
    assert str(results.parent) not in page
    assert 'alt=""' not in page


def test_tiles_show_each_kind_and_are_of_one_kind(page):
    strips = re.findall(r'<div class="tiles">(.*?)</div>', page)
    assert len(strips) == N_KINDS
    seen = set()
    for strip in strips:
        pictures = re.findall(r"base64,([^\"]+)", strip)
        assert 4 <= len(pictures) <= 8
        means = [np.mean(Image.open(io.BytesIO(base64.b64decode(one)))) for one in pictures]
        shades = {int(np.abs(SHADES - mean).argmin()) for mean in means}
        assert len(shades) == 1  # all tiles of a kind look alike
        seen |= shades
    assert len(seen) == N_KINDS  # and the kinds do not
    assert "8 \u00b5m wide" in text_of(page)


def test_without_slides_or_places_it_is_said_why_no_tile_is_shown(files):
    tiles = pd.DataFrame(
        {"kind": ["a"], "slide": ["nobody"], "x": [8.0], "y": [8.0], "side_px": [16], "slide_mpp": [1]}
    )
    assert "were not named" in tile_pictures(tiles, None).note
    assert "do not say where" in tile_pictures(tiles.assign(x=np.nan), str(files / "slides")).note
    found = tile_pictures(tiles, str(files / "slides"))
    assert (found.note, found.by_kind) == ("1 slides could not be read: their tiles are not shown.", {"a": []})


def test_the_map_has_the_coefficients_of_the_folds(page, results):
    products, text = pd.read_csv(results / "products.csv"), text_of(page)
    pairs = products.groupby(["kind", "pathway"])["coefficient"].agg(["mean", "min", "max", "size"])
    assert (pairs["size"] == 2).all()
    assert len(pairs) == 2 * N_KINDS
    for (kind, pathway), row in pairs.iterrows():
        said = " ".join(f"{row[end]:.4f}" for end in ("mean", "min", "max")).replace("-", MINUS)
        assert f"{kind} {pathway} {said}" in text
    prototypes = pd.read_csv(results / "prototypes.csv")
    frequency = prototypes.groupby("kind")["frequency"].mean()
    for kind, share in frequency.items():
        assert f"{kind} {100 * share:.0f} % of the tiles; coefficient" in text


def test_a_model_is_named_or_taken_by_rule_and_never_by_its_score(results, tmp_path):
    text = text_of(write_cohort_page(results, tmp_path / "p.html", method="clinical").read_text("utf-8"))
    assert "clinical alone is looked at here" in text
    with pytest.raises(InputError, match=r"a model of .* \(.*\) expected, found 'clinicl'"):
        write_cohort_page(results, tmp_path / "p.html", method="clinicl")
    summary = read_summary(results)
    assert default_model(summary) == default_model(summary.iloc[::-1]) == "prototype_x_pathway"
    assert default_model(summary.assign(n_failed=1)) in summary.index


def test_results_of_an_earlier_version_lack_what_they_do_not_hold_and_say_so(results, tmp_path):
    old = shutil.copytree(results, tmp_path / "old")
    for name in ("risk_groups.csv", "prototypes.csv", "products.csv", "prototype_tiles.csv"):
        (old / name).unlink()
    text = text_of(write_report(old, tmp_path / "p.html").read_text("utf-8"))  # the door of all pages leads here, too
    assert "written by an earlier version, without risk groups" in text
    assert "prototype_x_pathway less clinical" in text
    assert "Prototype × pathway" not in text  # noqa: RUF001  as the page writes it


def test_a_difference_is_called_what_it_is(results):
    study, name = read_cohort_study(results), "prototype_x_pathway"

    def said(**numbers):
        summary = study.summary.copy()
        for column, value in numbers.items():
            summary.loc[name, column] = value
        return headline(replace(study, summary=summary))[1]

    sure = {"difference": 0.1, "difference_low": 0.05, "difference_high": 0.15, "holm": 0.01}
    assert "better than the clinic does, beyond chance" in said(**sure)
    assert "not beyond chance (Holm p 0.2)" in said(**sure | {"holm": 0.2})
    assert "a gain of up to 0.150 and a loss of up to 0.050" in said(**sure | {"holm": 0.2, "difference_low": -0.05})
    worse = {"difference": -0.1, "difference_low": -0.15, "difference_high": -0.05, "holm": 0.01}
    assert "worse than the clinic does, beyond chance" in said(**worse)


def test_results_that_are_none_are_refused(results, tmp_path):
    with pytest.raises(InputError, match="the record of an evaluation"):
        write_cohort_page(tmp_path, tmp_path / "p.html")
    with pytest.raises(InputError, match="a file name for the page expected"):
        write_cohort_page(results, tmp_path)
    broken = shutil.copytree(results, tmp_path / "broken")
    (broken / "risk_groups.csv").write_bytes(b"\xff\x00")
    with pytest.raises(InputError, match=r"a table of an evaluation on a cohort|results of an evaluation"):
        write_cohort_page(broken, tmp_path / "p.html")


@pytest.mark.slow
@pytest.mark.parametrize("outcome", [RESPONSE, NUMBER])
def test_other_outcomes_have_another_picture_in_place_of_kaplan_meiers(files, tmp_path, outcome):
    results = made_results(files, tmp_path / "results", outcome=outcome, models=("clinical", "pathway_scores"))
    page = write_cohort_page(results, tmp_path / "page.html", method="pathway_scores").read_text("utf-8")
    text = text_of(page)
    assert "Kaplan-Meier curves" not in page
    row = read_summary(results).loc["pathway_scores"]
    if outcome == RESPONSE:
        assert (results / "roc.csv").is_file()
        assert f"pathway_scores {row['c']:.3f}" in page
        assert "came: yes" not in text  # it stands in the drawing
    else:
        assert f"R² {row['index']:.3f}" in page
    assert not (results / "risk_groups.csv").exists()


@pytest.mark.slow
def test_the_command_writes_it(said, results, tmp_path):
    code, out, _ = said("report", results, "--out", tmp_path / "page.html")
    assert (code, out.strip()) == (0, str(tmp_path / "page.html"))
