"""PLS is what its steps say, fewer components are nested in more, and surroundings count only where they are asked."""

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.data.neighbours import mean_of_neighbours
from mclstexp.methods import create, pls
from mclstexp.sight.embed import embed_tiles
from small_methods import ENCODER, small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def _features(section, radius_um=None):
    own = embed_tiles(section.tiles, ENCODER).astype(np.float64)
    if radius_um is None:
        return own
    return np.concatenate([own, mean_of_neighbours(own, section.tiles.xy_um, radius_um=radius_um)], axis=1)


@pytest.mark.parametrize("radius_um", [None, 300.0])
def test_one_matrix_does_what_standardising_and_pls_do(sections, radius_um):
    radii = () if radius_um is None else (radius_um,)
    model = create("pls", encoder=ENCODER, context_radii_um=radii, n_components=3).fit(sections[:2])
    features = np.concatenate([_features(section, radius_um) for section in sections[:2]])
    mean, spread = features.mean(axis=0), features.std(axis=0)
    expression = np.concatenate([model.space_(section.counts) for section in sections[:2]])
    steps = PLSRegression(3, scale=False, max_iter=5000, tol=1e-10).fit((features - mean) / spread, expression)
    expected = steps.predict((_features(sections[2], radius_um) - mean) / spread)
    np.testing.assert_allclose(model.predict(sections[2].tiles).X, expected, atol=1e-4)
    assert model.context_um == (radius_um or 0)


def test_fewer_components_are_the_first_of_more(sections):
    from mclstexp.methods.pls import _Maps

    features = np.concatenate([_features(section) for section in sections])
    expression = np.random.default_rng(0).normal(size=(len(features), 7))
    few, many = (_Maps.fit(features, expression, n_components=n, reduction=20).affine(2) for n in (2, 6))
    for a, b in zip(few, many, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)


def test_the_number_of_components_is_chosen_on_held_out_training_sections(sections):
    model = create("pls", encoder=ENCODER).fit(sections)
    assert model.n_components_ in (4, 8, 12, 16, 24)
    assert create("pls", encoder=ENCODER).fit(sections[:1]).n_components_ == 12


def test_one_gene_and_a_handful_of_spots_are_enough(sections):
    few = sections[0].take(np.arange(3))
    space = ExpressionSpace(sections[0].genes[:1], axis="gene")
    predicted = create("pls", encoder=ENCODER).fit([few], space=space).predict(sections[2].tiles).X
    assert predicted.shape == (len(sections[2]), 1)


def test_constant_expression_is_predicted_as_it_is(sections):
    from mclstexp.methods.pls import _Maps

    features = _features(sections[0])
    coef, intercept = _Maps.fit(features, np.full((len(features), 2), 3.0), n_components=4, reduction=9).affine(4)
    np.testing.assert_allclose(features @ coef + intercept, 3.0)


@pytest.mark.parametrize("option", ["n_components", "reduction"])
def test_impossible_options_are_refused(option):
    with pytest.raises(InputError, match=f"{option} must be at least 1, found 0"):
        create("pls", **{option: 0})


def test_many_spots_are_reduced_by_their_covariance_to_the_same_maps(monkeypatch):
    rng = np.random.default_rng(0)
    features, expression = rng.normal(size=(300, 20)) * rng.uniform(0.1, 9, 20), rng.normal(size=(300, 6))
    expression += features[:, :6]
    few = pls._Maps.fit(features, expression, n_components=4, reduction=15).affine(4)
    monkeypatch.setattr(pls, "MOST_FULL", 100)
    many = pls._Maps.fit(features, expression, n_components=4, reduction=15).affine(4)
    for one, other in zip(many, few, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-9)
