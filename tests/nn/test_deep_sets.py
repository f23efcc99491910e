"""DeepSpot's network: median and mean of members, sums and maxima without order, the published size."""

import numpy as np
import torch
from torch.nn import functional

from mclstexp.nn.deep_sets import DeepSets, MeanEnsemble, MedianEnsemble


@torch.no_grad()
def test_phi_is_the_median_of_its_members():
    phi = MedianEnsemble(2, 1, n_members=3, dropout=0.5).eval()
    phi.members.weight.copy_(torch.tensor([[1.0, 0], [0, 1], [-1, 0]]))
    phi.members.bias.copy_(torch.tensor([0.0, 0, 5]))
    # members say ReLU(a), ReLU(b), ReLU(5 - a)
    np.testing.assert_allclose(phi(torch.tensor([[1.0, 2], [4, -3]]))[:, 0], [2, 1])


@torch.no_grad()
def test_rho_is_the_mean_of_its_members_after_a_relu():
    rho = MeanEnsemble(1, 1, n_members=2, dropout=0.5, out_dropout=0.5).eval()
    for member, weight in zip(rho.members, (1.0, 3.0), strict=True):
        member[2].weight.fill_(weight)
        member[2].bias.fill_(1.0)
    np.testing.assert_allclose(rho(torch.tensor([[2.0], [-2.0]]))[:, 0], [5, 1])


@torch.no_grad()
def test_the_whole_by_hand_and_without_order():
    torch.manual_seed(0)
    model = DeepSets(4, 3, dim=5, n_members=1).eval()
    tile, parts, around = torch.randn(2, 4), torch.randn(2, 9, 4), torch.randn(2, 8, 4)
    phi = lambda x: functional.linear(x, model.phi.members.weight, model.phi.members.bias).relu()  # noqa: E731
    joined = torch.cat([phi(tile), phi(parts).sum(1), phi(around).max(1).values], dim=1)
    by_hand = functional.linear(joined, model.rho.members[0][2].weight, model.rho.members[0][2].bias)
    torch.testing.assert_close(model(tile, parts, around), by_hand)
    shuffled = model(tile, parts[:, torch.randperm(9)], around[:, torch.randperm(8)])
    torch.testing.assert_close(shuffled, by_hand)


def test_the_published_size():
    dim, n_genes = 1536, 5000
    with torch.device("meta"):
        model = DeepSets(dim, n_genes)
    assert sum(p.numel() for p in model.parameters()) == 10 * (dim * 512 + 512) + 10 * (1536 * n_genes + n_genes)
