"""The loss of deep graph infomax on two nodes, worked by hand; and that it learns a graph."""

import numpy as np
import pytest
import torch

from mclstexp.nn.aligned_graphs import AlignedGraphs, NeighbourEncoder
from mclstexp.nn.infomax import Discriminator, infomax_loss
from mclstexp.training.infomax import fit_infomax
from mclstexp.training.loop import TrainingOptions


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_the_loss_is_the_cross_entropy_of_its_definition():
    judge = Discriminator(2)
    weight = np.array([[1.0, -2.0], [0.5, 0.0]])
    with torch.no_grad():
        judge.weight.copy_(torch.from_numpy(weight))
        judge.bias.fill_(0.3)
    nodes, corrupted = np.array([[1.0, 0.0], [3.0, -2.0]]), np.array([[0.0, 1.0], [2.0, 2.0]])
    summary = _sigmoid(np.array([2.0, -1.0]))
    real, fake = (_sigmoid(rows @ weight @ summary + 0.3) for rows in (nodes, corrupted))
    expected = -(np.log(real).sum() + np.log(1 - fake).sum()) / 4
    found = infomax_loss(torch.from_numpy(nodes).float(), torch.from_numpy(corrupted).float(), judge)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_a_neighbour_encoder_averages_or_sums_who_is_there():
    encoder = {gather: NeighbourEncoder(1, 1, gather=gather) for gather in ("mean", "sum")}
    nodes, present = torch.tensor([[[2.0], [4.0], [99.0]]]), torch.tensor([[True, True, False]])
    for gather, total in (("mean", 3.0), ("sum", 6.0)):
        with torch.no_grad():
            encoder[gather].layer.linear.weight.fill_(-1.0)
            encoder[gather].layer.bias.fill_(1.0)
        assert encoder[gather](nodes, present).item() == pytest.approx(0.25 * (1 - total))  # PReLU starts at 0.25


def test_the_network_has_the_published_number_of_parameters():
    model = AlignedGraphs(1000, 813)
    image, spot = 1000 * 256 + 256 + 1, 813 * 256 + 256 + 1
    head = 256 * 128 + 128 + 128 * 128 + 128 + 2 * 128
    assert sum(p.numel() for p in model.parameters()) == image + spot + 2 * head


def test_two_tissues_are_told_apart_without_a_label():
    # a chain of 40 spots, the left half of one kind, the right of another: permuted features lose that
    n = 40
    rng = np.random.default_rng(0)
    nodes = np.repeat([[1.0, 0.0], [0.0, 1.0]], n // 2, axis=0) + rng.normal(0, 0.1, (n, 2))
    index = np.clip(np.arange(n)[:, None] + [0, -1, 1], 0, n - 1)
    near = torch.from_numpy(index), torch.ones(n, 3, dtype=torch.bool)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = NeighbourEncoder(2, 8)
    options = TrainingOptions(epochs=100, learning_rate=1e-2, batch_size=1, schedule="constant", weight_decay=0.0)
    state = torch.random.get_rng_state()
    history = fit_infomax(encoder, torch.from_numpy(nodes).float(), near, sections=[torch.arange(n)], options=options)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert history[-1]["loss"] < history[0]["loss"] - 0.1
