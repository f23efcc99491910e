"""Which spots a prediction is made of: by hand, and for every method that retrieves."""

from functools import cache

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.retrieval import Retrieval, strongest
from small_methods import small_methods, small_sections

KEEP_SPOTS = ("mclstexp", "bleep", "knn", "st_gchb")
METHODS = {method.label: method for method in small_methods()}


def test_weights_add_up_over_models_and_equals_go_by_cosine():
    spots = np.array([[1.0, 0], [0, 1], [1, 1], [-1, 0]])
    tile = np.array([[1.0, 0]])
    one = Retrieval(tile, spots, rows=np.array([[0, 2]]), shares=np.array([[0.5, 0.5]]), weight=0.6)
    other = Retrieval(tile, spots, rows=np.array([[2, 1]]), shares=np.array([[0.25, 0.75]]), weight=0.4)
    found = strongest([one, other], n=3)
    assert found.rows.tolist() == [[2, 0, 1]]
    np.testing.assert_allclose(found.weights, [[0.4, 0.3, 0.3]], rtol=1e-6)
    np.testing.assert_allclose(found.cosine, [[np.sqrt(0.5), 1, 0]], atol=1e-6)
    assert strongest([one, other], n=9).rows.shape == (1, 3)


def test_a_method_without_spots_gives_no_reason():
    with pytest.raises(InputError, match="keeps none"):
        strongest((), n=3)


@cache
def _sections():
    return small_sections()


_KEEP = [name for name in METHODS if name.startswith(KEEP_SPOTS)]


@pytest.mark.parametrize(
    "label", [pytest.param(name, marks=[pytest.mark.slow] * (name == "mclstexp, strict")) for name in _KEEP]
)
def test_the_prediction_is_what_its_spots_say(label):
    train, asked = _sections()[:-1], _sections()[-1].tiles
    model = METHODS[label].create().fit(train)
    retrievals = model.retrieve(asked)
    expression = np.concatenate([model.space_(section.counts) for section in train])
    total = np.zeros((len(asked), expression.shape[1]))
    for part in retrievals:
        assert len(part.spots) == len(expression)
        np.testing.assert_allclose(part.shares.sum(axis=1), 1, rtol=1e-5)
        shares = part.shares * np.broadcast_to(part.weight, len(asked))[:, None]
        total += np.einsum("tk,tkg->tg", shares, expression[part.rows])
    if not getattr(model, "regression_share", 0):
        np.testing.assert_allclose(total, model.predict(asked).X, rtol=1e-4, atol=1e-5)
    found = strongest(retrievals, n=4)
    assert found.rows.shape == found.weights.shape == (len(asked), 4)
    assert (np.diff(found.weights, axis=1) <= 1e-9).all()


def test_other_methods_keep_none():
    assert METHODS["ridge"].create().fit(_sections()[:2]).retrieve(_sections()[2].tiles) == ()
