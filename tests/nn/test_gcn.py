"""Graph convolutions on three nodes, worked by hand."""

import numpy as np
import torch

from mclstexp.nn.gcn import GCNLayer, GraphConvLayer, averaging, edges_within, symmetric

PATH = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])  # 0 - 1 - 2
NODES = torch.tensor([[1.0], [10.0], [100.0]])


def test_edges_join_what_is_near_and_there():
    offset = torch.tensor([[0.0, 0], [3, 4], [6, 8], [3, 4]])
    present = torch.tensor([True, True, True, False])
    expected = torch.zeros(4, 4)
    expected[:3, :3] = PATH
    assert torch.equal(edges_within(offset, present, radius_um=5.0), expected)
    assert torch.equal(edges_within(offset[None], present[None], radius_um=5.0)[0], expected)


def test_the_symmetric_norm_is_that_of_the_paper():
    degrees = np.array([2.0, 3.0, 2.0])
    expected = (PATH.numpy() + np.eye(3)) / np.sqrt(np.outer(degrees, degrees))
    np.testing.assert_allclose(symmetric(PATH).numpy(), expected, rtol=1e-6)
    assert torch.equal(symmetric(torch.zeros(2, 2)), torch.eye(2))


def test_rows_average_and_an_empty_one_stays_empty():
    rows = averaging(torch.tensor([[0.0, 1, 1], [0, 0, 0]]))
    assert rows.tolist() == [[0, 0.5, 0.5], [0, 0, 0]]


def test_a_gcn_layer_weighs_sums_of_neighbours():
    layer = GCNLayer(1, 2)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[2.0], [-1.0]]))
        layer.bias.copy_(torch.tensor([0.5, 0.0]))
    looped = PATH + torch.eye(3)
    expected = torch.tensor([[22.5, -11], [222.5, -111], [220.5, -110]])
    torch.testing.assert_close(layer(NODES, looped), expected)
    # the same for one row alone, where the sums come first
    torch.testing.assert_close(layer(NODES, looped[1:2]), expected[1:2])
    assert sum(p.numel() for p in layer.parameters()) == 2 + 2


def test_a_graph_conv_layer_weighs_the_node_itself_apart():
    layer = GraphConvLayer(1, 1)
    with torch.no_grad():
        layer.own.weight.fill_(3.0)
        layer.others.weight.fill_(2.0)
        layer.others.bias.fill_(1.0)
    assert layer(NODES, PATH).ravel().tolist() == [3 + 20 + 1, 30 + 202 + 1, 300 + 20 + 1]
    assert sum(p.numel() for p in layer.parameters()) == 3
