"""Capsules on numbers worked by hand."""

import numpy as np
import pytest
import torch

from mclstexp.nn.capsules import PrimaryCapsules, SelfAttentionRouting, squash


def test_squash_keeps_directions_and_bounds_lengths():
    found = squash(torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, 1e-3]]))
    long = 1 - np.exp(-5)
    np.testing.assert_allclose(found, [[0.6 * long, 0.8 * long], [0, 0], [0, 1 - np.exp(-1e-3)]], rtol=1e-5)


def test_squash_has_a_gradient_at_zero():
    vectors = torch.zeros(2, 3, requires_grad=True)
    squash(vectors).sum().backward()
    assert torch.isfinite(vectors.grad).all()


def test_routing_on_a_worked_example():
    routing = SelfAttentionRouting(2, 1, n_out=2, out_dim=4)
    weight = torch.zeros(2, 2, 1, 4)
    weight[0, 0, 0, 0] = 1.0  # receiver 0 hears capsule 0, receiver 1 hears capsule 1
    weight[1, 1, 0, 0] = 1.0
    routing.weight.data = weight
    routing.bias.data[1, 1] = 0.25
    found = routing(torch.tensor([[[1.0], [2.0]]]))
    # votes 1 and 2: agreement 1² / √4 and 2² / √4, against 0 of the other receiver
    lengths = [1 / (1 + np.exp(-0.5)) * 1, (1 / (1 + np.exp(-2)) + 0.25) * 2]
    expected = np.zeros((1, 2, 4))
    expected[0, :, 0] = 1 - np.exp(-np.array(lengths))
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-5)


def test_primary_capsules_reduce_a_map_of_28_to_one_place():
    sizes = []
    layer = PrimaryCapsules(16).eval()
    for part in (*layer.stack, layer.depthwise):
        part.register_forward_hook(lambda _, __, out: sizes.append(out.shape[-1]))
    capsules = layer(torch.rand(2, 16, 28, 28))
    assert capsules.shape == (2, 16, 8)
    assert list(dict.fromkeys(sizes)) == [24, 22, 20, 9, 1]
    assert capsules.norm(dim=-1).max() < 1


@pytest.mark.parametrize("n_out", [1, 7])
def test_routing_has_the_asked_sizes(n_out):
    assert SelfAttentionRouting(16, 8, n_out=n_out, out_dim=6)(torch.rand(3, 16, 8)).shape == (3, n_out, 6)
