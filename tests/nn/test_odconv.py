"""Dynamic convolution: a plain one where attention says nothing, and each image's own where it does."""

import pytest
import torch
from torch.nn import functional

from mclstexp.nn.odconv import DynamicConv2d


@pytest.fixture
def layer():
    torch.manual_seed(0)
    layer = DynamicConv2d(3, 5, kernel_size=4, stride=4)
    # statistics of another batch, so that evaluation differs from doing nothing
    layer.attention.bn.running_mean.uniform_(-1, 1)
    layer.attention.bn.running_var.uniform_(0.5, 2)
    return layer.eval()


@pytest.fixture
def images():
    return torch.rand(6, 3, 16, 12, generator=torch.Generator().manual_seed(1))


def _constant(linear, bias):
    torch.nn.init.zeros_(linear.weight)
    linear.bias.data = torch.as_tensor(bias, dtype=torch.float32).expand_as(linear.bias).clone()


def test_with_every_attention_at_one_it_is_a_plain_convolution(layer, images):
    for linear in (layer.attention.channel_fc, layer.attention.filter_fc, layer.attention.spatial_fc):
        _constant(linear, 100.0)  # σ(100) is 1
    _constant(layer.attention.kernel_fc, [0.0, 0.0, 200.0, 0.0])
    expected = functional.conv2d(images, layer.weight[2], stride=4)
    torch.testing.assert_close(layer(images), expected)


def test_each_image_is_convolved_with_its_own_mixture(layer, images):
    channel, of_filter, spatial, kernel = layer.attention(images)
    torch.testing.assert_close(kernel.sum(dim=1), torch.ones(6))
    assert kernel.std(dim=0).min() > 0
    for n, image in enumerate(images):
        own = sum(kernel[n, k] * layer.weight[k] for k in range(4)) * spatial[n] * channel[n][None]
        expected = functional.conv2d(image[None], own, stride=4)[0] * of_filter[n]
        torch.testing.assert_close(layer(images)[n], expected, atol=1e-5, rtol=1e-4)


def test_an_image_does_not_depend_on_the_batch(layer, images):
    torch.testing.assert_close(layer(images)[2:3], layer(images[2:3]), atol=1e-6, rtol=1e-5)
