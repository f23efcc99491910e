"""Figures of scores: the data behind the picture, and that nothing is cut off."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from made_scores import per_patient, scores_of, whole_table
from mclstexp.core.errors import InputError
from mclstexp.evaluation.score_table import gene_means
from mclstexp.evaluation.summary import summarise
from mclstexp.plotting.score_axes import label_of
from mclstexp.plotting.scores import (
    plot_method_against_method,
    plot_score_against_ceiling,
    plot_score_distributions,
    plot_summary,
)
from mclstexp.plotting.style import COLUMN_IN


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def _names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def _dots(ax, gid="mean"):
    return [float(line.get_xdata()[0]) for line in ax.lines if line.get_gid() == gid]


def _inside(ax):
    """Whether a figure of column width cuts nothing off."""
    ax.figure.draw_without_rendering()
    box, size = ax.figure.get_tightbbox(), ax.figure.get_size_inches()
    return size[0] == COLUMN_IN and (box.min > -0.01).all() and (box.max < size + 0.01).all()


def test_distributions_are_of_genes_best_mean_first_references_last():
    scores = whole_table()
    ax = plot_score_distributions(scores)
    order = ["good", "fair", "ridge", "weak", "mean", "noise ceiling", "depth oracle"]
    assert _names(ax) == order
    genes = gene_means(scores, metric="pcc")
    np.testing.assert_allclose(_dots(ax)[:5], genes[order[:5]].mean())
    medians = [bar for bar in ax.collections if bar.get_gid() == "median"]
    assert medians[0].get_segments()[0][0, 0] == pytest.approx(genes["good"].median())
    boxes = [bar for bar in ax.patches if bar.get_gid() == "quartiles"]
    assert boxes[0].get_x() + boxes[0].get_width() == pytest.approx(genes["good"].quantile(0.75))
    assert [len(set(box.get_facecolor()[:3])) == 1 for box in boxes] == [name in ("ridge", "mean") for name in order]
    assert _inside(ax)


def test_distributions_of_errors_run_the_other_way_and_of_a_set_over_it_alone():
    scores = whole_table()
    assert _names(plot_score_distributions(scores, metric="mse")) == ["good", "fair", "ridge", "weak", "mean"]
    ax = plot_score_distributions(scores, gene_set="heg50")
    assert _dots(ax)[0] == pytest.approx(gene_means(scores, metric="pcc", gene_set="heg50")["good"].mean())
    assert "(heg50)" in ax.get_xlabel()


def test_a_method_against_another_gene_by_gene():
    scores = whole_table()
    ax = plot_method_against_method(scores, "ridge", "good")
    dots = next(c for c in ax.collections if c.get_gid() == "genes").get_offsets()
    genes = gene_means(scores, metric="pcc")
    np.testing.assert_allclose(dots, genes[["ridge", "good"]])
    assert ax.get_title() == "good better for 92 % of 12 genes"  # neither has anything of the twelfth
    assert {text.get_text() for text in ax.texts} == set(genes["good"].nlargest(6).index)
    assert ax.get_xlim() == ax.get_ylim()
    assert _inside(ax)
    assert "good better for 92 %" in plot_method_against_method(scores, "ridge", "good", metric="mse").get_title()


def test_names_do_not_cover_each_other():
    values = {m: [0.5, 0.5001, 0.5002, 0.5003, 0.5004, 0.5005, 0.1] for m in "ab"}
    rows = [{"method": m, "gene": f"IGHV3-{n}OR16", "value": v} for m in "ab" for n, v in enumerate(values[m])]
    ax = plot_method_against_method(scores_of(rows), "a", "b")
    assert _inside(ax)
    extents = sorted((Text.get_window_extent(text) for text in ax.texts), key=lambda extent: extent.y0)  # no arrows
    assert len(extents) == 6
    assert all(below.y1 <= above.y0 for below, above in pairwise(extents))


def test_a_gene_stands_against_its_own_ceiling_in_its_sets_colour():
    ax = plot_score_against_ceiling(whole_table(), "good")
    dots = {c.get_gid(): np.asarray(c.get_offsets()) for c in ax.collections}
    assert {name: len(xy) for name, xy in dots.items()} == {"heg50": 4, "other": 8}
    for xy in dots.values():
        np.testing.assert_allclose(xy[:, 1], 0.6 * xy[:, 0])
    assert _inside(ax)


def test_a_ceiling_is_taken_where_the_method_was_scored():
    dots = [np.asarray(c.get_offsets()) for c in plot_score_against_ceiling(whole_table(), "weak").collections]
    for xy in dots:  # it failed in one fold of three
        np.testing.assert_allclose(xy[:, 1], 0.2 * xy[:, 0])


def test_a_summary_is_dots_intervals_and_lines_of_reference():
    summary = summarise(whole_table())
    ax = plot_summary(summary)
    assert _names(ax) == ["good", "fair", "ridge", "weak", "mean"]
    np.testing.assert_allclose(_dots(ax), summary["pcc"][:5])
    bars = [c.get_segments()[0][:, 0] for c in ax.collections if c.get_gid() == "interval"]
    np.testing.assert_allclose(bars, summary[["pcc_low", "pcc_high"]][:5])
    np.testing.assert_allclose(_dots(ax, "reference"), summary["pcc"][5:])
    assert ax.get_xlabel() == "PCC: mean and 95 % interval over 3 patients"
    assert _inside(ax)


def test_a_summary_of_one_patient_has_no_intervals():
    ax = plot_summary(summarise(per_patient({"a": [0.1], "b": [0.3]})))
    assert ax.get_xlabel() == "PCC: mean over 1 patient"
    assert not [c for c in ax.collections if c.get_gid() == "interval"]
    assert _names(plot_summary(summarise(whole_table()), column="mse"))[0] == "good"


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plot_score_distributions(whole_table(), ax=ax),
        lambda ax: plot_method_against_method(whole_table(), "good", "fair", ax=ax),
        lambda ax: plot_score_against_ceiling(whole_table(), "good", ax=ax),
        lambda ax: plot_summary(summarise(whole_table()), ax=ax),
    ],
)
def test_it_draws_where_it_is_told_and_leaves_settings_alone(draw):
    before = dict(plt.rcParams)
    _, ax = plt.subplots()
    assert draw(ax) is ax
    assert dict(plt.rcParams) == before
    assert plt.get_fignums() == [1]


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="found 'best'"):
        plot_method_against_method(whole_table(), "best", "good")
    with pytest.raises(InputError, match="found 'best'"):
        plot_score_against_ceiling(whole_table(), "best")
    with pytest.raises(InputError, match="found 'ceiling'"):
        plot_score_against_ceiling(per_patient({"a": [0.1]}), "a")
    with pytest.raises(InputError, match="a column of the summary expected, found 'psnr'"):
        plot_summary(summarise(whole_table()), column="psnr")
    with pytest.raises(InputError, match="one protocol"):
        plot_score_distributions(scores_of([{}, {"protocol": "paper", "fold": "G"}]))


@pytest.mark.parametrize(
    ("metric", "label"), [("pcc_depth", "PCC depth"), ("r2", "R²"), ("dispersion", "dispersion"), ("mse", "MSE")]
)
def test_metrics_are_written_as_people_do(metric, label):
    assert label_of(metric) == label
