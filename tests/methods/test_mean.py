"""The mean counts every training spot once and looks at no tile."""

import numpy as np
import pytest

from mclstexp.evaluation.metrics import pcc, r2
from mclstexp.methods import create
from small_methods import small_sections


@pytest.fixture(scope="module")
def sections():
    whole = small_sections(3)
    return [whole[0].take(np.arange(7)), *whole[1:]]  # of unequal size


@pytest.fixture(scope="module")
def model(sections):
    return create("mean").fit(sections[:2])


def test_every_training_spot_weighs_alike(model, sections):
    spots = np.concatenate([model.space_(section.counts) for section in sections[:2]])
    predicted = model.predict(sections[2].tiles).X
    np.testing.assert_allclose(predicted[0], spots.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_array_equal(predicted, np.broadcast_to(predicted[0], predicted.shape))


def test_it_scores_exactly_zero(model, sections):
    truth, predicted = model.space_(sections[2].counts), model.predict(sections[2].tiles).X
    varies = np.ptp(truth, axis=0) > 0
    assert varies.any()
    np.testing.assert_array_equal(pcc(truth, predicted)[varies], 0)
    np.testing.assert_array_equal(r2(truth, predicted, train_mean=predicted[0]), 0)


def test_it_reads_no_pixel(model, sections, monkeypatch):
    monkeypatch.setattr(type(sections[2].tiles), "read", lambda *_: pytest.fail("a tile was read"))
    assert model.predict(sections[2].tiles).n_obs == len(sections[2])
