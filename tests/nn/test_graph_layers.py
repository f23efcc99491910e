"""GraphSAGE over neighbours, worked by hand; a lone tile is zeros and never NaN."""

import numpy as np
import torch

from mclstexp.nn.graph_layers import GraphSage, neighbour_mean

HIDDEN = torch.tensor([[1.0, 2.0], [3.0, 0.0], [5.0, -2.0]])
NEIGHBOURS = torch.tensor([[1, 2], [0, 1], [2, 2]])
PRESENT = torch.tensor([[True, True], [True, False], [False, False]])
"""0 hears 1 and 2, 1 hears 0, 2 hears nobody."""


def test_the_mean_of_neighbours():
    np.testing.assert_array_equal(neighbour_mean(HIDDEN, NEIGHBOURS, PRESENT), [[4, -1], [1, 2], [0, 0]])


def test_graph_sage_on_three_tiles():
    layer = GraphSage(2)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0, 1.0], [2.0, -1.0]]))
        found = layer(HIDDEN, NEIGHBOURS, PRESENT)
    # W·(4, -1) = (3, 9); W·(1, 2) = (3, 0); nobody: 0
    np.testing.assert_allclose(found, [[3 / 90**0.5, 9 / 90**0.5], [1, 0], [0, 0]], rtol=1e-6)


def test_a_lone_tile_leaves_every_gradient_finite():
    layer = GraphSage(2)
    layer(HIDDEN, NEIGHBOURS, PRESENT).sum().backward()
    assert torch.isfinite(layer.linear.weight.grad).all()
