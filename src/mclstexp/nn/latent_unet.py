"""The U-Net of latent diffusion, conditioned on tokens (Rombach and others 2022), as tissue is painted with it.

Graikos and others (2312.07330) condition it on frozen features of a tile. Widths are options; their own are 192, (1, 2,
3, 5), two blocks a level and a context of 512.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.nn.adaptive_norm import time_waves
from mclstexp.nn.foreign_weights import fill, renamed
from mclstexp.nn.map_attention import MapTransformer

GROUPS: Final = 32
"""Channels are normalised in as many groups: widths are multiples of it."""
_EPS: Final = 1e-5


class TimedBlock(nn.Module):
    """Two convolutions that the time shifts, beside a way round them; the second starts as nothing."""

    def __init__(self, n_in: int, n_out: int, *, time_dim: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(GROUPS, n_in, eps=_EPS), nn.GroupNorm(GROUPS, n_out, eps=_EPS)
        self.conv1, self.conv2 = nn.Conv2d(n_in, n_out, 3, padding=1), nn.Conv2d(n_out, n_out, 3, padding=1)
        self.time = nn.Linear(time_dim, n_out)
        self.skip = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]  # it has one

    def forward(
        self, values: Float[Tensor, "n n_in h w"], time: Float[Tensor, "n time_dim"]
    ) -> Float[Tensor, "n n_out h w"]:
        """Pass a map on."""
        inner = self.conv1(functional.silu(self.norm1(values))) + self.time(functional.silu(time))[:, :, None, None]
        return self.skip(values) + self.conv2(functional.silu(self.norm2(inner)))


class Halve(nn.Module):
    """A convolution that leaves half the rows and columns."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, stride=2, padding=1)

    def forward(self, values: Float[Tensor, "n dim h w"]) -> Float[Tensor, "n dim h2 w2"]:
        """Pass a map on."""
        return self.conv(values)


class Double(nn.Module):
    """Each place twice in both directions, then a convolution."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, values: Float[Tensor, "n dim h w"]) -> Float[Tensor, "n dim h2 w2"]:
        """Pass a map on."""
        return self.conv(functional.interpolate(values, scale_factor=2.0, mode="nearest"))


class LatentUNet(nn.Module):
    """Says which noise lies on a map, given the time and tokens of context.

    Parameters
    ----------
    n_channels
        Of the map.
    width
        Channels of the first level, a multiple of 32.
    mults
        Channels of each level, in widths.
    n_blocks
        Blocks a level on the way down; one more on the way up.
    attention_at
        By how much a map is reduced where it is attended to; in the middle it always is.
    context_dim
        Length of a context token.
    n_heads
        Heads of attention.
    """

    def __init__(
        self,
        n_channels: int,
        *,
        width: int = 192,
        mults: Sequence[int] = (1, 2, 3, 5),
        n_blocks: int = 2,
        attention_at: Sequence[int] = (2, 4, 8),
        context_dim: int = 512,
        n_heads: int = 1,
    ) -> None:
        super().__init__()
        self.width, time_dim = width, 4 * width
        self.time = nn.Sequential(nn.Linear(width, time_dim), nn.SiLU(), nn.Linear(time_dim, time_dim))

        def look(dim: int) -> MapTransformer:
            return MapTransformer(dim, context_dim, n_heads=n_heads)

        def level(n_in: int, dim: int, number: int) -> list[nn.Module]:
            block = TimedBlock(n_in, dim, time_dim=time_dim)
            return [block, look(dim)] if 2**number in attention_at else [block]

        into, dim, kept = [[nn.Conv2d(n_channels, width, 3, padding=1)]], width, [width]
        for number, mult in enumerate(mults):
            for _ in range(n_blocks):
                into.append(level(dim, mult * width, number))  # type: ignore[arg-type]
                dim = mult * width
                kept.append(dim)
            if number < len(mults) - 1:
                into.append([Halve(dim)])  # type: ignore[list-item]
                kept.append(dim)
        middle = [TimedBlock(dim, dim, time_dim=time_dim), look(dim), TimedBlock(dim, dim, time_dim=time_dim)]
        outward = []
        for number, mult in reversed([*enumerate(mults)]):
            for i in range(n_blocks + 1):
                outward.append(level(dim + kept.pop(), mult * width, number))
                dim = mult * width
                if number and i == n_blocks:
                    outward[-1].append(Double(dim))
        self.into, self.outward = (nn.ModuleList(map(nn.ModuleList, way)) for way in (into, outward))
        self.middle = nn.ModuleList(middle)
        self.last = nn.Sequential(
            nn.GroupNorm(GROUPS, dim, eps=_EPS), nn.SiLU(), nn.Conv2d(dim, n_channels, 3, padding=1)
        )
        nn.init.zeros_(self.last[2].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.last[2].bias)  # type: ignore[arg-type]

    def forward(
        self,
        values: Float[Tensor, "n n_channels h w"],
        time: Real[Tensor, " n"],
        context: Float[Tensor, "n n_context context_dim"],
    ) -> Float[Tensor, "n n_channels h w"]:
        """Say which noise lies on maps at times 0 … 999; sides are multiples of 2 ^ (levels - 1)."""
        at = self.time(time_waves(time.float(), self.width))
        kept = []
        for step in self.into:
            values = _through(step, values, at, context)
            kept.append(values)
        values = _through(self.middle, values, at, context)
        for step in self.outward:
            values = _through(step, torch.cat([values, kept.pop()], dim=1), at, context)
        return self.last(values)


def _through(step: nn.Module, values: Tensor, time: Tensor, context: Tensor) -> Tensor:
    for part in step.children():
        if isinstance(part, TimedBlock):
            values = part(values, time)
        elif isinstance(part, MapTransformer):
            values = part(values, context)
        else:
            values = part(values)
    return values


def load_released(network: LatentUNet, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Fill the network with weights under the names of latent-diffusion code.

    Raises
    ------
    InputError
        If a tensor is missing, unknown or of another shape.
    """
    fill(network, renamed(weights, _NAMES), what="a latent diffusion U-Net", source=source)


_NAMES: Final = (
    (r"^input_blocks", "into"),
    (r"^middle_block", "middle"),
    (r"^output_blocks", "outward"),
    (r"^out\.", "last."),
    (r"^time_embed", "time"),
    (r"in_layers\.0", "norm1"),
    (r"in_layers\.2", "conv1"),
    (r"emb_layers\.1", "time"),
    (r"out_layers\.0", "norm2"),
    (r"out_layers\.3", "conv2"),
    (r"skip_connection", "skip"),
    (r"\.op\.", ".conv."),
    (r"proj_in", "into"),
    (r"proj_out", "back"),
    (r"transformer_blocks\.0\.attn1", "block.own"),
    (r"transformer_blocks\.0\.attn2", "block.cross"),
    (r"transformer_blocks\.0\.ff\.net\.0\.proj", "block.gated"),
    (r"transformer_blocks\.0\.ff\.net\.2", "block.forth"),
    (r"transformer_blocks\.0", "block"),
    (r"to_q\.", "query."),
    (r"to_k\.", "key."),
    (r"to_v\.", "value."),
    (r"to_out\.0", "out"),
)
