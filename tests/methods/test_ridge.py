"""Ridge is what its parts say, and its penalty is chosen on patients it did not learn from."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.methods import create
from mclstexp.methods.ridge import tuning_splits
from mclstexp.sight.embed import embed_tiles
from small_methods import ENCODER, small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def _features(sections):
    return np.concatenate([embed_tiles(section.tiles, ENCODER) for section in sections]).astype(np.float64)


def test_one_matrix_does_what_the_three_steps_do(sections):
    model = create("ridge", encoder=ENCODER, n_components=8, alpha=10.0).fit(sections[:2])
    expression = np.concatenate([model.space_(section.counts) for section in sections[:2]])
    steps = make_pipeline(StandardScaler(), PCA(8, svd_solver="full"), Ridge(10.0)).fit(
        _features(sections[:2]), expression
    )
    expected = steps.predict(_features(sections[2:]))
    np.testing.assert_allclose(model.predict(sections[2].tiles).X, expected, atol=1e-4)


def test_a_huge_penalty_leaves_the_mean(sections):
    model = create("ridge", encoder=ENCODER, alpha=1e12).fit(sections[:2])
    mean = create("mean").fit(sections[:2]).predict(sections[2].tiles).X
    np.testing.assert_allclose(model.predict(sections[2].tiles).X, mean, atol=1e-4)


def test_counts_that_nothing_tells_get_a_large_penalty(sections):
    def deal(section):
        counts = section.counts.copy()
        counts.X = counts.X[np.random.default_rng(0).permutation(len(section))]
        return replace(section, counts=counts)

    told, untold = (
        create("ridge", encoder=ENCODER, n_components=8).fit(train) for train in (sections, list(map(deal, sections)))
    )
    assert untold.alpha_ > told.alpha_
    assert untold.alpha_ >= 100


def test_the_penalty_is_chosen_over_whole_patients_or_whole_sections(sections):
    def sides_share_nothing(sections, units):
        rows = np.repeat(units, [len(section) for section in sections])
        splits = tuning_splits(sections)
        assert sorted(np.concatenate([test for _, test in splits])) == list(range(len(rows)))
        return all(not set(rows[train]) & set(rows[test]) for train, test in splits)

    twice = [replace(s, id=f"{s.id}{n}") for s in sections for n in "ab"]
    assert sides_share_nothing(twice, [s.patient for s in twice])
    serial = [replace(section, patient="P") for section in sections]
    assert sides_share_nothing(serial, [s.id for s in serial])
    assert tuning_splits(sections[:1]) is None


def test_a_twin_of_each_section_does_not_fool_the_choice(sections):
    # spot by spot, every held-out spot would have its twin in training, and no penalty at all would look best
    twice = [replace(section, id=f"{section.id}{n}") for section in sections for n in "ab"]
    once, doubled = (create("ridge", encoder=ENCODER).fit(train).alpha_ for train in (sections, twice))
    assert doubled >= once


def test_one_gene_and_one_section_are_enough(sections):
    space = ExpressionSpace(sections[0].genes[:1], axis="gene")
    model = create("ridge", encoder=ENCODER).fit(sections[:1], space=space)
    assert model.predict(sections[2].tiles).X.shape == (len(sections[2]), 1)


@pytest.mark.parametrize(("option", "value"), [("n_components", 0), ("alpha", 0.0), ("alpha", -1.0)])
def test_impossible_options_are_refused(option, value):
    with pytest.raises(InputError, match=f"{option} must be .*, found {value}"):
        create("ridge", **{option: value})
