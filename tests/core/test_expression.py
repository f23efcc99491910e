"""Counts become expression: by hand, by axis, by gene."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from small_methods import small_sections


def _counts(matrix, genes="ABC"):
    return AnnData(sparse.csr_matrix(np.asarray(matrix)), var=pd.DataFrame(index=list(genes)))


def test_per_spot_by_hand():
    found = ExpressionSpace(("A", "B"), target_sum=10)(_counts([[1, 4, 95], [0, 0, 7]]))
    np.testing.assert_allclose(found, [[np.log10(1 + 10 / 5), np.log10(1 + 40 / 5)], [0, 0]], rtol=1e-6)
    assert found.dtype == np.float32


def test_per_gene_by_hand():
    found = ExpressionSpace(("A", "C"), axis="gene", log_base=2)(_counts([[1, 0, 0], [3, 0, 0]]))
    np.testing.assert_allclose(found[:, 0], np.log2(1 + 1e4 * np.array([0.25, 0.75])), rtol=1e-6)
    np.testing.assert_array_equal(found[:, 1], 0)


def test_columns_follow_the_panel_not_the_file():
    space = ExpressionSpace(("C", "A"))
    np.testing.assert_array_equal(space(_counts([[1, 2, 3]])), space(_counts([[3, 1, 2]], "CAB")))
    np.testing.assert_array_equal(space.counts(_counts([[1, 2, 3]])), [[3, 1]])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=3, max_size=3), st.integers(2, 9))
def test_depth_does_not_matter_per_spot(row, times):
    space = ExpressionSpace(tuple("ABC"))
    once, deeper = space(_counts([row])), space(_counts([[times * value for value in row]]))
    np.testing.assert_allclose(deeper, once, rtol=1e-6)
    assert (once >= 0).all()


def test_equal_spaces_are_equal_and_come_back_from_plain_types():
    space = ExpressionSpace(("A", "B"), target_sum=1e6)
    assert ExpressionSpace(**space.to_dict()) == space
    assert space != ExpressionSpace(("B", "A"), target_sum=1e6)
    assert space != ExpressionSpace(("A", "B"))


def test_a_space_is_learnt_from_sections():
    sections = small_sections()
    assert len(ExpressionSpace.fit(sections).genes) <= 30
    assert ExpressionSpace.fit(sections, genes=["TUMOUR1"], axis="gene").axis == "gene"
    with pytest.raises(InputError, match="a panel of two or more genes expected, found 'TUMOUR1' alone"):
        ExpressionSpace.fit(sections, genes=["TUMOUR1"])
    assert ExpressionSpace.fit(sections, genes=lambda s: s[0].genes[:2]).genes == sections[0].genes[:2]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"genes": ()}, "at least one gene"),
        ({"genes": ("A", "A")}, "'A' twice"),
        ({"genes": ("A",), "target_sum": 0}, "must be positive"),
        ({"genes": ("A",), "log_base": 1}, "must be positive"),
        ({"genes": ("A",), "axis": "row"}, "'spot' or 'gene'"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        ExpressionSpace(**arguments)


def test_a_gene_that_was_not_measured_is_named():
    with pytest.raises(InputError, match=r"1 of 2 missing \(Z\)"):
        ExpressionSpace(("A", "Z"))(_counts([[1, 2, 3]]))
    with pytest.raises(InputError, match="NOPE"):
        ExpressionSpace.fit(small_sections(), genes=["NOPE"])


@pytest.mark.parametrize(
    ("gene", "said"), [("b", "did you mean 'B'"), ("Gapdhh", "did you mean 'Gapdh'"), ("QQQ", ": choose")]
)
def test_a_missing_gene_is_answered_with_the_nearest(gene, said):
    with pytest.raises(InputError, match=said):
        ExpressionSpace(("A", gene))(_counts([[1, 2, 3]], genes=["A", "B", "Gapdh"]))
