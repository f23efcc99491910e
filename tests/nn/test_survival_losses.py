"""Survival losses: values worked by hand, and what must not move them."""

import numpy as np
import pytest
import torch

from mclstexp.nn.survival_losses import cox_loss, hazard_loss, hazard_risk, ranking_loss

RISK = torch.tensor([0.5, 1.0, -0.5, 0.0], dtype=torch.float64)
TIME = torch.tensor([2.0, 4.0, 4.0, 6.0], dtype=torch.float64)
EVENT = torch.tensor([True, True, True, False])
LOGITS = torch.tensor([[0, 0, 0, 0], [1, -1, 0.5, -0.5], [-2, -1, 0, 1]], dtype=torch.float64)
BINS = torch.tensor([2, 1, 3])
ENDED = torch.tensor([True, False, True])


@pytest.mark.parametrize(("ties", "expected"), [("breslow", 1.238692), ("efron", 1.076979)])
def test_cox_loss_of_four_patients_with_a_tie(ties, expected):
    assert float(cox_loss(RISK, TIME, EVENT, ties=ties)) == pytest.approx(expected, abs=1e-6)
    cut_off_with_them = torch.tensor([2.0, 4.0, 4.0, 4.0], dtype=torch.float64)
    assert float(cox_loss(RISK, cut_off_with_them, EVENT, ties=ties)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("loss", [cox_loss, ranking_loss])
def test_nobody_with_an_event_moves_nothing(loss):
    risk = RISK.clone().requires_grad_()
    found = loss(risk, TIME, torch.zeros(4, dtype=torch.bool))
    found.backward()
    assert float(found.detach()) == 0
    assert torch.equal(risk.grad, torch.zeros(4, dtype=torch.float64))


def test_hazards_of_three_patients():
    assert float(hazard_loss(LOGITS, BINS, ENDED)) == pytest.approx(1.717521, abs=1e-6)
    assert float(hazard_loss(LOGITS, BINS, ENDED, alpha=0.5)) == pytest.approx(1.446434, abs=1e-6)
    assert np.allclose(hazard_risk(LOGITS), [-0.9375, -0.5860, -1.9333], atol=1e-4)


def test_order_of_pairs():
    assert float(ranking_loss(RISK, TIME, EVENT)) == pytest.approx(-0.567932, abs=1e-6)
    assert float(ranking_loss(RISK[:1], TIME[:1], EVENT[:1])) == 0


def many(seed=0, n=30):
    draw = torch.Generator().manual_seed(seed)
    risk = torch.randn(n, generator=draw, dtype=torch.float64)
    time = torch.randint(1, 9, (n,), generator=draw).double()
    return risk, time, torch.rand(n, generator=draw) < 0.6, torch.randperm(n, generator=draw)


LOSSES = [
    lambda r, t, e: cox_loss(r, t, e, ties="efron"),
    lambda r, t, e: cox_loss(r, t, e, ties="breslow"),
    lambda r, t, e: cox_loss(r, t, e, strata=(t % 3).long()),
    ranking_loss,
]


@pytest.mark.parametrize("loss", LOSSES)
def test_row_order_and_a_constant_do_not_count(loss):
    risk, time, event, order = many()
    found = float(loss(risk, time, event))
    assert float(loss(risk[order], time[order], event[order])) == pytest.approx(found, abs=1e-12)
    assert float(loss(risk + 300, time, event)) == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_slopes_are_those_of_finite_differences(loss):
    risk, time, event, _ = many(seed=1, n=12)
    assert torch.autograd.gradcheck(lambda r: loss(r, time, event), risk.requires_grad_())


def test_slopes_of_hazards_and_their_row_order():
    assert torch.autograd.gradcheck(lambda x: hazard_loss(x, BINS, ENDED, alpha=0.3), LOGITS.clone().requires_grad_())
    turned = torch.tensor([2, 0, 1])
    assert float(hazard_loss(LOGITS[turned], BINS[turned], ENDED[turned])) == pytest.approx(1.717521, abs=1e-6)


def test_patients_alone_in_their_stratum_say_nothing():
    assert float(cox_loss(RISK, TIME, EVENT, strata=torch.arange(4))) == pytest.approx(0, abs=1e-12)


def test_risks_far_apart_stay_finite():
    risk = torch.tensor([800.0, -800.0, 0.0, 5.0]).requires_grad_()
    loss = cox_loss(risk, TIME.float(), EVENT)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(risk.grad).all()
    assert float(hazard_loss(200 * LOGITS, BINS, ENDED)) < 40
