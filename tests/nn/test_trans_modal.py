"""The losses of Genetic InfoMax on values worked by hand, and that they find what two modalities share."""

import math

import pytest
import torch
from torch.nn import functional

from mclstexp.nn.trans_modal import TransModal, image_traits, information_loss, spread_loss
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.trans_modal import fit_trans_modal


def test_two_individuals_by_hand():
    own = torch.eye(2)
    assert information_loss(own, own, temperature=1.0).item() == pytest.approx(math.log1p(math.exp(-1)), abs=1e-6)
    same = torch.ones(2, 2) / math.sqrt(2)
    assert information_loss(same, same, temperature=1.0).item() == pytest.approx(math.log(2), abs=1e-6)
    softplus = functional.softplus
    shannon = softplus(torch.tensor(-2.0)) + softplus(torch.tensor(0.0))
    found = information_loss(own, own, temperature=0.5, estimator="jensen_shannon")
    assert found.item() == pytest.approx(shannon.item())


def test_traits_that_vary_by_themselves_cost_nothing():
    one = math.sqrt(1.5)  # of variance 1 over four rows
    apart = torch.tensor([[one, 0.0], [-one, 0], [0, one], [0, -one]])
    assert spread_loss(apart).item() == pytest.approx(0, abs=1e-4)
    together = torch.tensor([[1.0, 1], [-1, -1], [1, 1], [-1, -1]])
    covariance = 4 / 3
    assert spread_loss(together).item() == pytest.approx(0.04 * 2 * covariance**2 / 2, rel=1e-5)
    assert spread_loss(torch.zeros(4, 2)).item() == pytest.approx(0.99)
    assert torch.isfinite(spread_loss(torch.randn(5, 1)))


def test_what_both_share_is_found_beneath_what_one_has_alone():
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(400, 1, generator=generator)
    images = (
        torch.cat([shared, 4 * torch.randn(400, 3, generator=generator)], dim=1)
        @ torch.linalg.qr(torch.randn(4, 4, generator=generator))[0]
    )
    genes = torch.cat([shared, torch.randn(400, 5, generator=generator)], dim=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = TransModal(image_traits(4, 2, hidden=16), torch.nn.Linear(6, 8), n_traits=2, n_other=8, dim=8)
    options = TrainingOptions(epochs=60, batch_size=100, learning_rate=3e-3)
    history = fit_trans_modal(model, images, genes, options=options)
    assert history[-1]["loss"] < history[0]["loss"]
    with torch.inference_mode():
        traits = model.image(images)
    design = torch.cat([traits, torch.ones(400, 1)], dim=1)
    rest = shared - design @ torch.linalg.lstsq(design, shared).solution
    assert 1 - (rest.var() / shared.var()).item() > 0.6
