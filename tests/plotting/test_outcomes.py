"""Figures of models of patients: what is drawn is what the tables hold."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mclstexp.cohort.risk_groups import risk_group_curves
from mclstexp.core.errors import InputError
from mclstexp.plotting.outcomes import plot_foretold, plot_outcome_calibration, plot_outcome_differences, plot_roc
from mclstexp.plotting.products import plot_products
from mclstexp.plotting.risk_groups import at_risk, plot_risk_groups


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def by_id(ax, gid):
    (found,) = [line for line in ax.lines if line.get_gid() == gid]
    return found


@pytest.fixture
def curves():
    time = [2.0, 4, 4, 6, 3, 8, 9, 12]
    group = ["high"] * 4 + ["low"] * 4
    event = [1, 1, 1, 0, 1, 0, 0, 1]
    answers = pd.DataFrame({"method": "m", "repeat": 1, "group": group, "time_months": time, "event": event})
    return risk_group_curves(answers)


def test_risk_groups_by_hand(curves):
    ax = plot_risk_groups(curves)
    high = by_id(ax, "high risk")
    assert high.get_xdata().tolist() == [0, 2, 4, 6]
    np.testing.assert_allclose(high.get_ydata(), [1, 0.75, 0.25, 0.25])
    assert "high risk (4 patients, 3 events)" in [text.get_text() for text in ax.get_legend().get_texts()]
    numbers = at_risk(curves[curves["group"] == "high"], np.array([0.0, 2, 3, 4, 5, 6, 7]))
    assert numbers.tolist() == [4, 4, 3, 3, 1, 1, 0]
    beneath = [text.get_text() for text in ax.texts]
    assert beneath[:2] == ["at risk", "low"]
    ax.figure.draw_without_rendering()
    height = ax.figure.bbox.height
    boxes = [text.get_window_extent() for text in ax.texts]
    assert all(box.y0 >= 0 and box.y1 <= height for box in boxes)  # nothing is cut off


def test_groups_of_two_models_are_not_drawn_as_one(curves):
    with pytest.raises(InputError, match="risk groups of one model expected, found those of 2"):
        plot_risk_groups(pd.concat([curves, curves.assign(method="other")]))


def test_differences_are_in_their_order_with_their_intervals():
    rows = {"a": (0.02, -0.01, 0.05), "b": (0.1, 0.05, 0.15), "clinical": (np.nan,) * 3}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["difference", "difference_low", "difference_high"])
    ax = plot_outcome_differences(table)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b", "a"]
    dots = [line.get_xdata()[0] for line in ax.lines if line.get_gid() == "difference"]
    assert dots == [0.1, 0.02]
    with pytest.raises(InputError, match="models held against clinical expected, found none"):
        plot_outcome_differences(table.loc[["clinical"]])


def test_calibration_of_survival_has_a_line_for_each_horizon_and_of_yes_one():
    groups = pd.DataFrame({"predicted": [0.2, 0.8], "observed": [0.3, 0.7], "low": [0.1, 0.5], "high": [0.5, 0.9]})
    survival = pd.concat([groups.assign(months=12.0), groups.assign(months=36.0)])
    ax = plot_outcome_calibration(survival)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["12 months", "36 months"]
    ax = plot_outcome_calibration(groups.assign(months=np.nan))
    assert ax.get_legend() is None
    assert ax.get_xlabel() == "foretold: yes"
    with pytest.raises(InputError, match="groups of patients"):
        plot_outcome_calibration(survival[:0])


def test_roc_curves_and_numbers_foretold():
    curves = pd.DataFrame({"method": ["m"] * 3, "false_positive": [0, 0, 1.0], "true_positive": [0, 0.5, 1.0]})
    ax = plot_roc(curves, areas=pd.Series({"m": 0.75}))
    assert by_id(ax, "m").get_ydata().tolist() == [0, 0.5, 1]
    assert ax.get_legend().get_texts()[0].get_text() == "m (0.750)"
    ax = plot_foretold(pd.DataFrame({"value": [1.0, 2], "truth": [2.0, 2]}))
    assert ax.collections[0].get_offsets().tolist() == [[1, 2], [2, 2]]


def test_products_have_their_middle_at_nothing_and_dots_where_folds_agree():
    mean = pd.DataFrame([[0.2, -0.4], [0.0, 0.1]], index=["prototype 1", "prototype 2"], columns=["up", "down"])
    same = pd.DataFrame([[1.0, 0.5], [1.0, 1.0]], index=mean.index, columns=mean.columns)
    ax = plot_products(mean, same=same)
    (image,) = ax.images
    assert image.get_clim() == (-0.4, 0.4)
    dots = by_id(ax, "one sign in all folds")
    assert sorted(zip(dots.get_xdata(), dots.get_ydata(), strict=True)) == [(0, 0), (0, 1), (1, 1)]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["up", "down"]
    long = mean.set_axis(["HALLMARK_TNFA_SIGNALING_VIA_NFKB", "HALLMARK_EPITHELIAL_MESENCHYMAL_TRANSITION_X"], axis=1)
    ax = plot_products(long)
    ax.figure.draw_without_rendering()
    labels = ax.get_xticklabels()
    assert labels[0].get_text() == "TNFA_SIGNALING_VIA_NFKB"
    assert all(label.get_window_extent().y0 >= 0 for label in labels)
    with pytest.raises(InputError, match="coefficients of kinds of tissue"):
        plot_products(mean.iloc[:0])
