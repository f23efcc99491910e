"""Hist2ST (Zeng et al. 2022, Briefings in Bioinformatics): ConvMixer, Transformer and GraphSAGE over a section."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from mclstexp.nn.foreign_weights import fill, renamed
from mclstexp.nn.graph_layers import GraphSage
from mclstexp.nn.position import PositionTables
from mclstexp.nn.pretrained import read_weights
from mclstexp.nn.slide_inputs import SlideInputs, columns_first
from mclstexp.nn.transformer import PreNormBlock
from mclstexp.nn.zinb import Zinb, ZinbHead

_RENAMED = (
    (r"^patch_embedding\.", "image.cut."),
    (r"^vit\.transformer\.layer1\.(\d+)\.dw\.", r"image.mixers.\1.depthwise."),
    (r"^vit\.transformer\.layer1\.(\d+)\.pw\.", r"image.mixers.\1.pointwise."),
    (r"^vit\.transformer\.down\.0\.", "image.narrow."),
    (r"^x_embed\.", "position.column."),
    (r"^y_embed\.", "position.row."),
    (r"^vit\.transformer\.layer2\.(\d+)\.attn\.norm\.", r"blocks.\1.norm_attention."),
    (r"^vit\.transformer\.layer2\.(\d+)\.attn\.fn\.to_qkv\.", r"blocks.\1.attention.to_qkv."),
    (r"^vit\.transformer\.layer2\.(\d+)\.attn\.fn\.to_out\.0\.", r"blocks.\1.attention.to_out."),
    (r"^vit\.transformer\.layer2\.(\d+)\.ff\.norm\.", r"blocks.\1.norm_feed."),
    (r"^vit\.transformer\.layer2\.(\d+)\.ff\.fn\.net\.", r"blocks.\1.feed."),
    (r"^vit\.transformer\.layer3\.(\d+)\.", r"graph_layers.\1.linear."),
    (r"^vit\.transformer\.jknet\.0\.", "jump."),
    (r"^mean\.0\.", "counts.mean."),
    (r"^disp\.0\.", "counts.dispersion."),
    (r"^pi\.0\.", "counts.dropout."),
    (r"^coef\.", "confidence."),
)
"""Key of the authors' checkpoint → ours."""


class MixerBlock(nn.Module):
    """ConvMixer block: x + two depthwise 5 × 5 convolutions, then a 1 × 1 convolution across channels."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()

        def depthwise() -> list[nn.Module]:
            convolution = nn.Conv2d(n_channels, n_channels, 5, padding="same", groups=n_channels)
            return [convolution, nn.BatchNorm2d(n_channels), nn.GELU()]

        self.depthwise = nn.Sequential(*depthwise(), *depthwise())
        self.pointwise = nn.Sequential(nn.Conv2d(n_channels, n_channels, 1), nn.GELU(), nn.BatchNorm2d(n_channels))

    def forward(self, maps: Float[Tensor, "n n_channels h w"]) -> Float[Tensor, "n n_channels h w"]:
        """Mix within and then across channels."""
        return self.pointwise(maps + self.depthwise(maps))


class MixerEmbedding(nn.Module):
    """A tile's pixels to a vector: cut into small patches, mixed, narrowed to an eighth of the channels, flattened.

    Parameters
    ----------
    size_px, patch_px
        Sides of the tile and of the small patches; published: 112 and 7.
    n_channels, depth
        Published: 32 and 2.
    scale
        Pixels are divided by it first: 255 for [0, 1]; published: 1.
    """

    def __init__(
        self, size_px: int, *, patch_px: int = 7, n_channels: int = 32, depth: int = 2, scale: float = 255.0
    ) -> None:
        super().__init__()
        self.scale = scale
        self.cut = nn.Conv2d(3, n_channels, patch_px, stride=patch_px)
        self.mixers = nn.Sequential(*(MixerBlock(n_channels) for _ in range(depth)))
        self.narrow = nn.Conv2d(n_channels, n_channels // 8, 1)
        self.dim = (size_px // patch_px) ** 2 * (n_channels // 8)

    def forward(self, pixels: Shaped[Tensor, "n 3 rows columns"]) -> Float[Tensor, "n dim"]:
        """Embed tiles."""
        maps = self.cut(columns_first(pixels).float() / self.scale)
        return self.narrow(self.mixers(maps)).flatten(1)


@dataclass(frozen=True)
class Hist2STOutput:
    """What the network says of every tile."""

    expression: Float[Tensor, "n n_genes"]
    """The prediction."""
    counts: Zinb
    """Distribution of the raw counts."""
    confidence: Float[Tensor, "n 1"]
    """Weight of this pass among augmented passes, before the softmax over passes."""
    hidden: Float[Tensor, "n dim"]
    """What all three were read off."""


class Hist2STNet(nn.Module):
    """Tiles plus positions through a Transformer over the section, then along the graph of neighbours.

    The outputs of the graph layers, as a sequence, pass an LSTM; its mean over the steps is what the heads read.

    Parameters
    ----------
    image
        Pictures of tiles to vectors of length `dim`.
    n_genes, n_positions, dim
        See `HisToGeneNet`.
    depth, graph_depth
        Published: 8 and 4.
    block
        n_heads, head_dim, hidden and dropout of `PreNormBlock`; published: 16, 64, 1024, 0.2.
    """

    def __init__(
        self,
        image: nn.Module,
        *,
        n_genes: int,
        n_positions: int,
        dim: int,
        depth: int,
        graph_depth: int,
        **block: float,
    ) -> None:
        super().__init__()
        self.image = image
        self.position = PositionTables(n_positions, dim)
        self.dropout = nn.Dropout(block.get("dropout", 0.0))
        self.blocks = nn.Sequential(*(PreNormBlock(dim, **block) for _ in range(depth)))  # type: ignore[arg-type]
        self.graph_layers = nn.ModuleList(GraphSage(dim) for _ in range(graph_depth))
        self.jump = nn.LSTM(dim, dim, num_layers=2)
        self.gene_head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, n_genes))
        self.counts = ZinbHead(dim, n_genes)
        self.confidence = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, 1))

    def forward(self, inputs: SlideInputs) -> Hist2STOutput:
        """Predict expression and counts of every tile from all of them."""
        tokens = self.dropout(self.image(inputs.image) + self.position(inputs.position))
        passed = self.blocks(tokens[None])[0]
        steps = []
        for layer in self.graph_layers:
            passed = layer(passed, inputs.neighbours, inputs.present)
            steps.append(passed)
        hidden = self.jump(torch.stack(steps))[0].mean(dim=0)
        return Hist2STOutput(
            expression=self.gene_head(hidden),
            counts=self.counts(hidden),
            confidence=self.confidence(hidden),
            hidden=hidden,
        )


def load_hist2st(model: Hist2STNet, path: Path) -> None:
    """Fill a network with the weights of an authors' checkpoint.

    A checkpoint trained without distillation has no layer for it; that layer then stays as it is, for no
    prediction asks it.

    Raises
    ------
    InputError
        If the file is no such checkpoint, or of a network of another size or panel.
    """
    weights = renamed(read_weights(path), _RENAMED)
    unused = [name for name in model.state_dict() if name.startswith("confidence.")]
    fill(
        model,
        weights,
        what="the published Hist2ST",
        source=str(path),
        not_in_file=[] if set(unused) <= set(weights) else unused,
    )
