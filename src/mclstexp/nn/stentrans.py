"""Transformers over maps of genes: a sound one, and stEnTrans's as released (Xue and others, arXiv 2407.08224)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.nn.foreign_weights import fill, renamed
from mclstexp.nn.position import sincos_2d


class FineMaps(nn.Module):
    """Says of each pixel of a gene's map the four that it falls into: a share of the nearest spot, and what it adds.

    Parameters
    ----------
    patch
        Pixels along a side of what becomes a token.
    width, n_heads, depth
        Of the transformer.
    """

    def __init__(self, *, patch: int, width: int, n_heads: int, depth: int) -> None:
        super().__init__()
        self.patch = patch
        self.into = nn.Conv2d(2, width, patch, patch)
        self.blocks = _blocks(width, n_heads=n_heads, depth=depth)
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 4 * patch**2)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.share = nn.Parameter(torch.ones(()))

    def forward(
        self,
        values: Float[Tensor, "n height width"],
        shown: Float[Tensor, "height width"],
        nearest: Int[Tensor, "height width"],
    ) -> Float[Tensor, "n fine_height fine_width"]:
        """Return maps twice as fine.

        Parameters
        ----------
        values
            0 is a gene's mean.
        shown
            1 where a spot is; values elsewhere count for nothing.
        nearest
            Number, row by row, of the nearest pixel with a spot.
        """
        coarse = values.flatten(1)[:, nearest]
        return self.share * coarse.repeat_interleave(2, 1).repeat_interleave(2, 2) + self._added(values, shown)

    def _added(self, values: Tensor, shown: Tensor) -> Tensor:
        height, width = shown.shape
        padding = (0, -width % self.patch, 0, -height % self.patch)
        images = functional.pad(torch.stack([values * shown, shown.expand_as(values)], dim=1), padding)
        tokens = self.into(images)
        n_rows, n_columns = tokens.shape[-2:]
        grid = torch.meshgrid(torch.arange(n_columns), torch.arange(n_rows), indexing="xy")
        code = sincos_2d(torch.stack(grid, dim=-1).float(), tokens.shape[1]).flatten(0, 1)
        tokens = tokens.flatten(2).transpose(1, 2) + code
        for block in self.blocks:
            tokens = block(tokens)
        parts = from_tokens(self.out(self.norm(tokens)), n_rows=n_rows, patch=self.patch)
        return functional.pixel_shuffle(parts, 2)[:, 0, : 2 * height, : 2 * width]


class ReleasedStEnTrans(nn.Module):
    """The release's network: one channel, positions counted along one line, tokens read as pixels, nothing added.

    Parameters
    ----------
    patch, n_heads, depth
        3, 4 and 12 for square arrays, 8, 8 and 12 for Visium's; a token has 4 · patch² numbers.
    """

    def __init__(self, *, patch: int, n_heads: int, depth: int = 12) -> None:
        super().__init__()
        self.patch = patch
        width = 4 * patch**2
        self.into = nn.Conv2d(1, width, patch, patch)
        self.blocks = _blocks(width, n_heads=n_heads, depth=depth)

    def forward(self, images: Float[Tensor, "n 1 height width"]) -> Float[Tensor, "n 4 height width"]:
        """Return upper left, upper right, lower left and lower right of each pixel; sides are whole patches."""
        tokens = self.into(images)
        n_rows = tokens.shape[-2]
        tokens = tokens.flatten(2).transpose(1, 2)
        tokens = tokens + line_code(*tokens.shape[1:])
        for block in self.blocks:
            tokens = block(tokens)
        return from_tokens(tokens, n_rows=n_rows, patch=self.patch)


def line_code(n_tokens: int, width: int) -> Float[Tensor, "n_tokens width"]:
    """Return the release's positions: the usual waves, but for an exponent that is twice the usual one."""
    even = torch.arange(0, width, 2)
    angle = torch.arange(n_tokens)[:, None] / 10_000 ** (2 * even / width)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def from_tokens(
    tokens: Float[Tensor, "n n_tokens numbers"], *, n_rows: int, patch: int
) -> Float[Tensor, "n 4 height width"]:
    """Read tokens as patches of pixels, four numbers a pixel."""
    parts = tokens.unflatten(2, (patch, patch, 4)).unflatten(1, (n_rows, -1))
    return parts.permute(0, 5, 1, 3, 2, 4).flatten(4).flatten(2, 3)


def load_released(network: ReleasedStEnTrans, weights: Mapping[str, Tensor], *, source: str) -> None:
    """Fill the network with weights under the release's names.

    Raises
    ------
    InputError
        If a tensor is missing, unknown or of another shape.
    """
    patterns = [
        (r"^patch_embed\.proj", "into"),
        (r"attn\.qkv\.", "self_attn.in_proj_"),
        (r"attn\.proj", "self_attn.out_proj"),
        (r"mlp\.fc", "linear"),
    ]
    fill(network, renamed(weights, patterns), what="the published stEnTrans", source=source)


def _blocks(width: int, *, n_heads: int, depth: int) -> nn.ModuleList:
    return nn.ModuleList(
        nn.TransformerEncoderLayer(
            width, n_heads, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        for _ in range(depth)
    )
