"""Losses against values computed by hand."""

import numpy as np
import pytest
import torch

from mclstexp.nn.losses import correlation_loss


def test_the_correlation_loss_is_one_minus_the_mean_pcc():
    generator = torch.Generator().manual_seed(0)
    predicted, truth = torch.randn(9, 3, generator=generator), torch.randn(9, 3, generator=generator)
    pcc = [np.corrcoef(predicted[:, gene], truth[:, gene])[0, 1] for gene in range(3)]
    assert correlation_loss(predicted, truth).item() == pytest.approx(1 - np.mean(pcc), abs=1e-5)
    assert correlation_loss(5 * truth - 2, truth).item() == pytest.approx(0, abs=1e-5)


def test_a_constant_head_has_a_finite_slope():
    predicted = torch.zeros(4, 2, requires_grad=True)
    correlation_loss(predicted, torch.arange(8.0).reshape(4, 2)).backward()
    assert torch.isfinite(predicted.grad).all()
