"""Omni-dimensional dynamic convolution (Li et al., ICLR 2022): a kernel that each image mixes for itself."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class KernelAttention(nn.Module):
    """Four attentions from an image's channel means (Li et al. 2022, §3.2; temperature 1).

    Channel means pass a bottleneck (linear, batch norm, ReLU), then one linear layer for each attention.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, n_kernels
        Of the convolution.
    hidden
        Width of the bottleneck (published: a sixteenth of the input channels, at least 16).
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_size: int, n_kernels: int, hidden: int = 16
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.fc = nn.Conv2d(in_channels, hidden, 1, bias=False)
        self.bn = nn.BatchNorm2d(hidden)
        self.channel_fc = nn.Conv2d(hidden, in_channels, 1)
        self.filter_fc = nn.Conv2d(hidden, out_channels, 1)
        self.spatial_fc = nn.Conv2d(hidden, kernel_size**2, 1)
        self.kernel_fc = nn.Conv2d(hidden, n_kernels, 1)
        for layer in (self.fc, self.channel_fc, self.filter_fc, self.spatial_fc, self.kernel_fc):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(
        self, images: Float[Tensor, "n channels height width"]
    ) -> tuple[
        Float[Tensor, "n channels 1 1"],
        Float[Tensor, "n filters 1 1"],
        Float[Tensor, "n size size"],
        Float[Tensor, "n kernels"],
    ]:
        """Return the attention on input channels, output filters, places of the kernel (σ) and kernels (softmax)."""
        hidden = functional.relu(self.bn(self.fc(images.mean(dim=(2, 3), keepdim=True))))
        spatial = self.spatial_fc(hidden).sigmoid().view(-1, self.kernel_size, self.kernel_size)
        kernel = self.kernel_fc(hidden).flatten(1).softmax(dim=1)
        return self.channel_fc(hidden).sigmoid(), self.filter_fc(hidden).sigmoid(), spatial, kernel


class DynamicConv2d(nn.Module):
    """A convolution whose kernel is, per image, a weighted sum of `n_kernels` (Li et al. 2022, §3.2).

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride
        As of a convolution without padding and bias.
    n_kernels
        Kernels that are mixed.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_size: int, stride: int, n_kernels: int = 4
    ) -> None:
        super().__init__()
        self.stride = stride
        self.attention = KernelAttention(in_channels, out_channels, kernel_size=kernel_size, n_kernels=n_kernels)
        self.weight = nn.Parameter(torch.empty(n_kernels, out_channels, in_channels, kernel_size, kernel_size))
        for kernel in self.weight:
            nn.init.kaiming_normal_(kernel, mode="fan_out", nonlinearity="relu")

    def forward(
        self, images: Float[Tensor, "n channels height width"]
    ) -> Float[Tensor, "n filters out_height out_width"]:
        """Convolve each image with its own kernel."""
        n = len(images)
        channel, of_filter, spatial, kernel = self.attention(images)
        mixed = torch.einsum("nk,koixy,nxy->noixy", kernel, self.weight, spatial)
        # one grouped convolution of all images side by side: each group is an image with its own kernel
        side_by_side = (images * channel).reshape(1, -1, *images.shape[2:])
        found = functional.conv2d(side_by_side, mixed.flatten(0, 1), stride=self.stride, groups=n)
        return found.view(n, -1, *found.shape[2:]) * of_filter
