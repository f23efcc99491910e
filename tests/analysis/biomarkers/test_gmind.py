"""The parts of G-MIND on values worked by hand, and that absent kinds are never read."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from mclstexp.analysis.biomarkers.gmind import GMind
from mclstexp.analysis.biomarkers.modalities import Modalities
from mclstexp.nn.concrete import FeatureMask, kl_to, relaxed
from mclstexp.nn.gmind import Balance, GMindNetwork, gmind_loss
from mclstexp.training.gmind import GMindOptions, _chances, _dropped

QUICK = GMind(hidden=8, latent=4, training=GMindOptions(steps=20), patience=None)


def test_the_concrete_variable_and_its_divergence():
    drawn = relaxed(torch.zeros(2), torch.tensor([[0.75, 0.25]]), temperature=0.5)
    assert drawn.tolist()[0] == pytest.approx([0.9, 0.1])
    assert kl_to(torch.zeros(1), 0.05).item() == pytest.approx(0.830366, abs=1e-6)
    assert kl_to(torch.tensor([0.05]).logit(), 0.05).item() == pytest.approx(0, abs=1e-6)
    mask = FeatureMask(2)
    with torch.no_grad():
        mask.logits.copy_(torch.tensor([0.0, 30.0]))
    assert mask.eval()(torch.ones(1, 2)).tolist()[0] == pytest.approx([0.5, 1])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        values = mask.train()(torch.ones(4000, 2))
        assert values.mean(dim=0).tolist() == pytest.approx([0.5, 1], abs=0.02)
        assert set(mask.drawn(torch.ones(1, 2)).unique().tolist()) <= {0.0, 1.0}


def _network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return GMindNetwork([3, 2], hidden=8, latent=4, dropout=0.0)


def test_the_latent_is_the_mean_of_what_is_there():
    class Constant(torch.nn.Module):
        def __init__(self, value):
            super().__init__()
            self.value = value

        def forward(self, values):
            return torch.full((len(values), 1), self.value)

    network = _network()
    network.encoders = torch.nn.ModuleList([Constant(2.0), Constant(6.0)])
    present = torch.tensor([[True, True], [True, False], [False, True]])
    found = network.embed([torch.zeros(3, 3), torch.zeros(3, 2)], present)
    assert found.squeeze().tolist() == [4, 2, 6]


def test_what_is_absent_is_not_read_and_teaches_its_encoder_nothing():
    network, labels = _network(), torch.tensor([1.0, 0.0])
    tables = [torch.randn(2, 3), torch.full((2, 2), torch.nan)]
    present = torch.tensor([[True, False]] * 2)
    varies = [torch.ones(3, dtype=torch.bool), torch.ones(2, dtype=torch.bool)]
    loss = gmind_loss(network, tables, present, labels, shown=present, varies=varies)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(p.grad is None or (p.grad == 0).all() for p in network.encoders[1].parameters())
    assert any((p.grad != 0).any() for p in network.encoders[0].parameters())
    network.eval()
    zeros = network([tables[0], torch.zeros(2, 2)], present)
    assert torch.equal(network(tables, present), zeros)
    both = network([tables[0].flip(0), tables[1]], present).flip(0)
    torch.testing.assert_close(both, zeros)
    torch.testing.assert_close(network([tables[0][:1], tables[1][:1]], present[:1]), zeros[:1])


def test_without_a_task_masks_go_to_their_prior_and_several_classes_are_told():
    network = _network()
    tables, present = [torch.randn(6, 3), torch.randn(6, 2)], torch.ones(6, 2, dtype=torch.bool)
    varies = [torch.ones(3, dtype=torch.bool), torch.tensor([True, False])]
    balance = Balance(reconstruction=0, classification=0, sparsity=1.0)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.2)
    for _ in range(100):
        optimiser.zero_grad()
        gmind_loss(network, tables, present, torch.zeros(6), shown=present, varies=varies, balance=balance).backward()
        optimiser.step()
    assert network.masks[0].probability.tolist() == pytest.approx([0.05] * 3, abs=0.01)
    assert network.masks[1].probability.tolist() == pytest.approx([0.05, 0.5], abs=0.01), "a constant has no share"
    many = GMindNetwork([3, 2], n_classes=3)
    labels = torch.tensor([0.0, 1, 2, torch.nan, 1, 0])
    assert torch.isfinite(gmind_loss(many, tables, present, labels, shown=present, varies=varies))


def test_kinds_are_hidden_but_one_and_the_rarer_class_is_drawn_as_often():
    present = torch.tensor([[True, True, False]] * 500 + [[False, False, True]] * 500)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shown = _dropped(present, share=0.5)
    assert not (shown & ~present).any()
    assert shown.any(dim=1).all()
    assert 0.2 < shown[:500, :2].all(dim=1).float().mean() < 0.3
    labels = torch.tensor([1.0] * 2 + [0.0] * 18 + [torch.nan] * 4)
    chance = _chances(labels, below=0.3)
    assert chance[:2].sum() == pytest.approx(chance[2:20].sum().item())
    assert (_chances(labels[:5], below=0.3) == 1).all()


def test_a_fit_tells_a_label_by_either_kind_and_keeps_what_tells_it():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 120).astype(float)
    tables = [rng.normal(size=(120, 6)) for _ in range(2)]
    for table in tables:
        table[:, 0] += 3 * label
    tables[0][::4] = np.nan
    tables[1][1::4] = np.nan
    modalities = Modalities.of_tables({str(k): pd.DataFrame(table) for k, table in enumerate(tables)})
    groups = [str(k % 12) for k in range(120)]
    state = torch.random.get_rng_state()
    found = GMind(hidden=8, latent=4, training=GMindOptions(steps=150), patience=None).fit(modalities, label, groups)
    assert torch.equal(torch.random.get_rng_state(), state)
    for kinds in ([True, True], [True, False]):
        some = modalities.only(np.array(kinds))
        some_rows = some.present.any(axis=1)
        right = (found.logits(some.take(some_rows)) > 0) == label[some_rows]
        assert right.mean() > 0.85
    for scores in found.scores():
        assert scores.argmax() == 0
    one, again = (replace(QUICK, hidden=4).fit(modalities, label, groups).logits(modalities) for _ in range(2))
    assert np.array_equal(one, again)


@pytest.mark.slow
def test_it_stops_where_those_held_out_gain_no_more_and_rows_without_a_label_are_learnt_from():
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 60).astype(float)
    modalities = Modalities.of_tables({"a": pd.DataFrame(rng.normal(size=(60, 3)) + 2 * label[:, None])})
    told = np.where(np.arange(60) < 50, label, np.nan)
    groups = [str(k % 6) for k in range(60)]
    options = GMindOptions(steps=400)
    found = GMind(hidden=8, latent=4, training=options, patience=100).fit(modalities, told, groups)
    assert 0 < found.steps_ < 400
    stable = QUICK.stability(modalities, told, groups, n_fits=2)
    assert stable[0].shape == (3,)
    assert set(np.unique(stable[0])) <= {0, 0.5, 1}
