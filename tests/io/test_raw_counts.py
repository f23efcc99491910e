"""Which matrix holds the counts, and which spots lie under tissue: what was taken, dropped or blank is said."""

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from mclstexp.core.errors import InputError
from mclstexp.io.raw_counts import raw_counts, under_tissue


def _counts(n_spots=40, n_genes=12):
    rng = np.random.default_rng(0)
    return rng.poisson(np.exp(rng.normal(3, 0.7, (n_spots, n_genes)))).astype(np.float32)


def _rounded_logs(counts):
    return np.rint(np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4))


def test_counts_alone_are_taken_without_a_word():
    counts = _counts()
    for adata in (ad.AnnData(counts), ad.AnnData(counts, layers={"counts": counts})):
        assert np.array_equal(raw_counts(adata, where="s").X.toarray(), counts)


@pytest.mark.parametrize("layer", ["counts", "raw_counts"])
def test_rounded_logarithms_in_x_do_not_win_over_a_layer_of_counts(layer):
    counts = _counts()
    adata = ad.AnnData(_rounded_logs(counts), layers={layer: counts})
    with pytest.warns(UserWarning, match=rf"taken from layers\['{layer}'\]; the whole numbers in X vary less"):
        assert np.array_equal(raw_counts(adata, where="s").X.toarray(), counts)


def test_nor_over_raw():
    counts = _counts()
    adata = ad.AnnData(counts)
    adata.raw = adata
    adata.X = _rounded_logs(counts)
    with pytest.warns(UserWarning, match=r"s: counts are taken from raw.X; the whole numbers in X vary less"):
        assert np.array_equal(raw_counts(adata, where="s").X.toarray(), counts)


def test_two_matrices_of_counts_that_differ_are_told():
    counts = _counts()
    adata = ad.AnnData(counts + 1, layers={"counts": counts})
    with pytest.warns(UserWarning, match=r"counts are taken from layers\['counts'\]; the whole numbers in X differ"):
        assert np.array_equal(raw_counts(adata, where="s").X.toarray(), counts)


def test_rounded_logarithms_alone_are_suspected():
    with pytest.warns(UserWarning, match=r"s: X holds whole numbers that vary less than counts do"):
        raw_counts(ad.AnnData(_rounded_logs(_counts())), where="s")


@pytest.mark.parametrize(
    "stated",
    [
        [1, 1, 0, 1],
        [True, True, False, True],
        ["True", "TRUE", "false", "true"],
        ["in", "in", "out", "in"],
        ["1", "1.0", "0", "1"],
        pd.Categorical(["yes", "yes", "no", "yes"]),
    ],
)
def test_in_tissue_as_numbers_and_words(stated):
    with pytest.warns(UserWarning, match=r"s: 1 of 4 spots lie beside the tissue by in_tissue and are left out"):
        assert under_tissue(pd.Series(stated), where="s").tolist() == [True, True, False, True]


def test_blank_spots_are_kept_and_counted():
    with pytest.warns(UserWarning, match=r"s: in_tissue is blank for 2 of 4 spots: they are kept"):
        assert under_tissue(pd.Series([1, np.nan, 1, None]), where="s").all()


def test_none_under_tissue_and_words_that_say_nothing_are_refused():
    with pytest.raises(InputError, match=r"s: spots under tissue expected, found none with in_tissue = 1 among 3"):
        under_tissue(pd.Series([0, 0, 0]), where="s")
    with pytest.raises(InputError, match=r"s: 1 or 0 expected as in_tissue of every spot, found 'cortex' in 2"):
        under_tissue(pd.Series([1, "cortex", "cortex"]), where="s")
