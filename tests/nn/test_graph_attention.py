"""Graph attention on a graph of three nodes, and against attention over a whole matrix."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from mclstexp.nn.graph_attention import GraphAttention, GraphAttentionNetwork


def test_a_graph_of_three_nodes_worked_by_hand():
    head = GraphAttention(2, 1)
    head.weight.data = torch.tensor([[1.0], [2.0]])
    head.attention.data = torch.tensor([[1.0], [-1.0]])
    nodes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # W h: 1, 2, 3
    index = torch.tensor([[1, 2], [0, 0], [0, 1]])
    present = torch.tensor([[True, True], [True, False], [False, False]])
    found = head(nodes, index, present)
    # node 0: scores 1 - 2 and 1 - 3, times the leak; node 1 hears node 0 alone; node 2, without neighbours, itself
    a, b = np.exp(-0.01), np.exp(-0.02)
    np.testing.assert_allclose(found.detach().ravel(), [(2 * a + 3 * b) / (a + b), 1, 3], rtol=1e-6)


def _dense(head, nodes, adjacency):
    """Attention as the papers' code has it: over all pairs, the others masked."""
    changed = nodes @ head.weight
    n_dim = changed.shape[1]
    own, other = changed @ head.attention[:n_dim], changed @ head.attention[n_dim:]
    scores = functional.leaky_relu(own + other.T, 0.01).masked_fill(~adjacency, -torch.inf)
    return scores.softmax(dim=1) @ changed


@pytest.fixture
def graph():
    torch.manual_seed(0)
    adjacency = torch.rand(9, 9) < 0.4
    adjacency[torch.arange(9), (torch.arange(9) + 1) % 9] = True
    width = int(adjacency.sum(dim=1).max())
    index = (~adjacency).int().argsort(dim=1, stable=True)[:, :width]
    return torch.randn(9, 6), adjacency, index, adjacency.gather(1, index)


def test_lists_of_neighbours_do_what_the_matrix_does(graph):
    nodes, adjacency, index, present = graph
    head = GraphAttention(6, 4)
    torch.testing.assert_close(head(nodes, index, present), _dense(head, nodes, adjacency))


def test_heads_are_joined_and_pass_another(graph):
    nodes, adjacency, index, present = graph
    network = GraphAttentionNetwork(6, n_heads=3, dim=5, out_dim=2, dropout=0.5).eval()
    joined = torch.cat([functional.elu(_dense(head, nodes, adjacency)) for head in network.heads], dim=1)
    expected = functional.elu(_dense(network.out, joined, adjacency))
    torch.testing.assert_close(network(nodes, index, present), expected)


def test_nodes_without_neighbours_stay_finite_and_so_do_gradients():
    network = GraphAttentionNetwork(6, n_heads=2, dim=5, out_dim=2)
    nodes = torch.randn(4, 6, requires_grad=True)
    nothing = torch.zeros(4, 3, dtype=torch.bool)
    network(nodes, torch.zeros(4, 3, dtype=torch.long), nothing).sum().backward()
    assert torch.isfinite(nodes.grad).all()
    assert nodes.grad.abs().sum(dim=1).min() > 0  # each listened to itself
    assert network(nodes, torch.zeros(4, 0, dtype=torch.long), nothing[:, :0]).shape == (4, 2)
