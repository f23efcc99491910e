"""A section's counts are raw, and lie under its tiles."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.section import as_counts, check_sections
from mclstexp.core.tiles import TileSpec
from small_methods import small_sections


@pytest.fixture(scope="module")
def section():
    return small_sections(1)[0]


def _counts(section, matrix, *, genes=None, ids=None):
    genes = [f"G{i}" for i in range(matrix.shape[1])] if genes is None else genes
    ids = section.counts.obs_names if ids is None else ids
    return AnnData(matrix, obs=pd.DataFrame(index=ids), var=pd.DataFrame(index=genes))


def test_dense_floats_that_are_whole_become_sparse_integers(section):
    made = replace(section, counts=_counts(section, np.full((len(section), 2), 3.0)))
    assert sparse.issparse(made.counts.X)
    assert made.counts.X.dtype == np.int32
    np.testing.assert_array_equal(made.counts.obsm["spatial"], section.tiles.xy)


@pytest.mark.parametrize(
    ("value", "what"), [(-1, "negative"), (0.5, "fractional"), (np.nan, "not finite"), (np.inf, "not finite")]
)
def test_values_that_are_no_counts_are_refused(section, value, what):
    matrix = np.ones((len(section), 2))
    matrix[3, 1] = value
    with pytest.raises(InputError, match=f"section {section.id}: raw integer counts expected, found .*{what}"):
        replace(section, counts=_counts(section, matrix))


def test_counts_and_tiles_must_name_the_same_spots_in_order(section):
    matrix = np.ones((len(section), 1))
    with pytest.raises(InputError, match="same spots in the same order"):
        replace(section, counts=_counts(section, matrix, ids=section.counts.obs_names[::-1]))
    with pytest.raises(InputError, match=f"found {len(section) - 1} rows of counts and {len(section)} tiles"):
        replace(section, counts=section.counts[1:])


@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_a_gene_twice_is_refused(section):
    with pytest.raises(InputError, match="found 'A' twice"):
        replace(section, counts=_counts(section, np.ones((len(section), 2)), genes=["A", "A"]))


@pytest.mark.parametrize("where", ["genes", "spots", "label"])
def test_names_that_no_file_can_hold_are_refused(section, where):
    counts = _counts(section, np.ones((len(section), 2)), genes=["A", "B\0" if where == "genes" else "B"])
    counts.obs["label"] = pd.Categorical([f"x{chr(0) * (where == 'label')}y"] * len(section))
    if where == "spots":
        counts.obs_names = [*counts.obs_names[:-1], f"{counts.obs_names[-1]}\0"]
    with pytest.raises(InputError, match=f"{where} of section {section.id}: names without NUL characters expected"):
        replace(section, counts=counts)


def test_taking_spots_keeps_both_sides_together(section):
    part = section.take([4, 1])
    assert list(part.tiles.ids) == [section.tiles.ids[4], section.tiles.ids[1]]
    np.testing.assert_array_equal(part.counts.X.toarray(), section.counts.X.toarray()[[4, 1]])
    assert section.with_spec(TileSpec(10, 1.0)).tiles.spec == TileSpec(10, 1.0)
    with pytest.raises(InputError, match="at least one spot"):
        section.take(np.zeros(len(section), bool))


def test_two_sections_of_one_name_are_refused(section):
    with pytest.raises(InputError, match=f"found {section.id!r} 2 times: rename one"):
        check_sections([section, section])
    with pytest.raises(InputError, match="found none"):
        check_sections([])


def test_stored_zeros_are_dropped():
    matrix = sparse.csr_matrix((np.array([0, 2]), np.array([0, 1]), np.array([0, 2])), shape=(1, 2))
    assert as_counts(matrix, where="here").nnz == 1
