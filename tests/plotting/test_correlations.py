"""Heatmaps of correlations: one order, one scale, and what the title says of them."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from mclstexp.core.errors import InputError
from mclstexp.evaluation.structure import gene_correlation_error
from mclstexp.plotting.correlations import plot_gene_correlations

GENES = [f"G{i}" for i in range(6)]


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(40, 6)) + rng.normal(size=(40, 1))
    return truth, truth + rng.normal(size=(40, 6))


def table(values):
    return pd.DataFrame(np.corrcoef(values.T), index=GENES, columns=GENES)


def test_both_are_drawn_in_the_order_of_the_truth_on_one_scale(values):
    order = [3, 1, 5, 0, 2, 4]
    truth, predicted = (table(part) for part in values)
    axes = plot_gene_correlations(truth.iloc[order, order], predicted)
    left, right = (ax.images[0] for ax in axes)
    np.testing.assert_allclose(left.get_array(), truth.to_numpy()[np.ix_(order, order)])
    np.testing.assert_allclose(right.get_array(), predicted.to_numpy()[np.ix_(order, order)])
    assert left.get_clim() == right.get_clim() == (-1, 1)
    assert [label.get_text() for label in axes[0].get_yticklabels()] == [GENES[i] for i in order]


def test_the_title_gives_agreement_over_pairs(values):
    truth, predicted = (table(part) for part in values)
    title = plot_gene_correlations(truth, predicted)[1].get_title()
    upper = np.triu_indices(6, 1)
    r = np.corrcoef(truth.to_numpy()[upper], predicted.to_numpy()[upper])[0, 1]
    assert f"agreement {r:.2f}" in title
    assert f"RMS difference {gene_correlation_error(*values):.2f}" in title


def test_a_constant_gene_stays_white(values):
    truth, predicted = (table(part) for part in values)
    predicted.loc["G2", :] = predicted.loc[:, "G2"] = np.nan
    axes = plot_gene_correlations(truth, predicted)
    assert np.ma.getmaskarray(axes[1].images[0].get_array())[2].all()
    assert "agreement 0." in axes[1].get_title()


def test_many_genes_go_without_names():
    many = [f"G{i}" for i in range(80)]
    square = pd.DataFrame(np.eye(80), index=many, columns=many)
    axes = plot_gene_correlations(square, square)
    assert not axes[0].get_xticklabels()
    assert axes[0].get_xlabel().startswith("80 genes")


def test_other_genes_and_axes_are_refused(values):
    truth, predicted = (table(part) for part in values)
    with pytest.raises(InputError, match="one panel"):
        plot_gene_correlations(truth, predicted.iloc[1:, 1:])
    with pytest.raises(InputError, match="two axes"):
        plot_gene_correlations(truth, predicted, axes=plt.subplots(1, 3)[1])
