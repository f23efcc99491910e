"""One map for all genes: the total count, learnt on training sections."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.methods import create
from mclstexp.sight.embed import embed_tiles
from small_methods import ENCODER, small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections(3, n_spots_side=7)


def _deep_where(section, values):
    """Give a section counts whose total follows `values`, shared out alike everywhere."""
    rng = np.random.default_rng(0)
    ranks = np.argsort(np.argsort(values)) / len(values)
    counts = section.counts.copy()
    counts.X = sparse.csr_matrix(rng.poisson(np.exp(3 + 3 * ranks)[:, None] * np.linspace(0.1, 2, counts.n_vars)))
    return replace(section, counts=counts)


@pytest.fixture(scope="module")
def deep(sections):
    """Sections whose depth is what the encoder's first feature says."""
    return [_deep_where(section, embed_tiles(section.tiles, ENCODER)[:, 0]) for section in sections]


def test_every_gene_gets_the_same_map_around_its_own_mean(deep):
    model = create("density", encoder=ENCODER, n_components=8).fit(deep[:2])
    predicted = model.predict(deep[2].tiles).X.astype(np.float64)
    maps = predicted - predicted.mean(axis=0)
    np.testing.assert_allclose(maps, np.broadcast_to(maps[:, :1], maps.shape), atol=1e-5)
    trained = np.concatenate([model.space_(section.counts) for section in deep[:2]])
    np.testing.assert_allclose(model.mean_, trained.mean(axis=0), rtol=1e-5)


def test_the_map_is_of_the_total_count(deep):
    model = create("density", encoder=ENCODER, n_components=8).fit(deep[:2])
    depth = np.log1p(np.asarray(deep[2].counts.X.sum(axis=1)).ravel())
    assert np.corrcoef(model.predict(deep[2].tiles).X[:, 0], depth)[0, 1] > 0.5


def test_on_residuals_depth_moves_next_to_nothing(deep):
    space = ExpressionSpace.fit(deep[:2], scale="residual")
    method = create("density", encoder=ENCODER, n_components=8)
    spread = method.fit(deep[:2], space=space).predict(deep[2].tiles).X.std(axis=0).max()
    assert spread < 0.1 * space(deep[2].counts).std()


def test_no_component_is_refused():
    with pytest.raises(InputError, match="at least 1, found 0"):
        create("density", n_components=0)
