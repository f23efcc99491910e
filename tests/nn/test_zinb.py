"""The likelihood of counts equals scipy's negative binomial with zeros added."""

import numpy as np
import pytest
import torch
from scipy.stats import nbinom

from mclstexp.nn.zinb import Zinb, ZinbHead, zinb_loss

MEAN = np.array([[0.5, 2.0, 8.0], [1.0, 0.1, 30.0]])
DISPERSION = np.array([[1.0, 0.5, 4.0], [2.0, 3.0, 10.0]])
DROPOUT = np.array([[0.1, 0.5, 0.0], [0.9, 0.3, 0.2]])
COUNTS = np.array([[0, 3, 7], [0, 0, 25]])
FACTOR = np.array([1.0, 2.0])


def _found(counts, mean, dispersion, dropout, factor):
    tensors = [torch.tensor(values, dtype=torch.float32) for values in (counts, mean, dispersion, dropout, factor)]
    return float(zinb_loss(tensors[0], Zinb(*tensors[1:4]), size_factor=tensors[4]))


def _expected(counts, mean, dispersion, dropout, factor):
    scaled = mean * factor[:, None]
    plain = nbinom.pmf(counts, dispersion, dispersion / (dispersion + scaled))
    return -np.log(dropout * (counts == 0) + (1 - dropout) * plain).mean()


def test_the_likelihood_is_scipys():
    given = (COUNTS, MEAN, DISPERSION, DROPOUT, FACTOR)
    np.testing.assert_allclose(_found(*given), _expected(*given), rtol=1e-5)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)])
def test_every_value_for_itself(row, column):
    one = [values[row : row + 1, column : column + 1] for values in (COUNTS, MEAN, DISPERSION, DROPOUT)]
    np.testing.assert_allclose(_found(*one, FACTOR[row : row + 1]), _expected(*one, FACTOR[row : row + 1]), rtol=1e-4)


def test_a_zero_by_hand():
    # θ = 1, μ = 1: P(0) = 1/2; with π = 1/2: 3/4
    one = [np.array([[x]]) for x in (0, 1.0, 1.0, 0.5)]
    np.testing.assert_allclose(_found(*one, np.ones(1)), -np.log(0.75), rtol=1e-6)


def test_an_empty_spot_costs_nothing_and_breaks_nothing():
    mean = torch.ones(1, 2, requires_grad=True)
    loss = zinb_loss(torch.zeros(1, 2), Zinb(mean, torch.ones(1, 2), torch.zeros(1, 2)), size_factor=torch.zeros(1))
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-6)
    assert torch.isfinite(mean.grad).all()


def test_the_head_keeps_within_the_published_bounds():
    head = ZinbHead(2, 3)
    for push in (-1e4, 1e4):
        found = head(torch.full((1, 2), push))
        assert ((found.mean >= 1e-5) & (found.mean <= 1e6)).all()
        assert ((found.dispersion >= 1e-4) & (found.dispersion <= 1e4)).all()
        assert ((found.dropout >= 0) & (found.dropout <= 1)).all()
