"""HisToGene (Pang et al. 2021, bioRxiv 2021.11.28.470212): a Transformer over all tiles of a section."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from mclstexp.nn.foreign_weights import fill, renamed
from mclstexp.nn.position import PositionTables
from mclstexp.nn.pretrained import read_weights
from mclstexp.nn.slide_inputs import SlideInputs, columns_first
from mclstexp.nn.transformer import PreNormBlock

_RENAMED = (
    (r"^patch_embedding\.", "image.project."),
    (r"^x_embed\.", "position.column."),
    (r"^y_embed\.", "position.row."),
    (r"^vit\.transformer\.layers\.", "blocks."),
    (r"^(blocks\.\d+)\.0\.norm\.", r"\1.norm_attention."),
    (r"^(blocks\.\d+)\.0\.fn\.to_qkv\.", r"\1.attention.to_qkv."),
    (r"^(blocks\.\d+)\.0\.fn\.to_out\.0\.", r"\1.attention.to_out."),
    (r"^(blocks\.\d+)\.1\.norm\.", r"\1.norm_feed."),
    (r"^(blocks\.\d+)\.1\.fn\.net\.", r"\1.feed."),
)
"""Key of the authors' checkpoint → ours."""


class PixelEmbedding(nn.Module):
    """A tile's pixels, flattened in the order (column, row, channel), through one linear layer.

    Parameters
    ----------
    size_px
        Side of the tile.
    dim
        Length of the embedding.
    scale
        Pixels are divided by it first: 255 for [0, 1]; published: 1.
    """

    def __init__(self, size_px: int, dim: int, *, scale: float = 255.0) -> None:
        super().__init__()
        self.scale = scale
        self.project = nn.Linear(3 * size_px**2, dim)

    def forward(self, pixels: Shaped[Tensor, "n 3 rows columns"]) -> Float[Tensor, "n dim"]:
        """Embed tiles."""
        flat = columns_first(pixels).permute(0, 2, 3, 1).flatten(1)
        return self.project(flat.float() / self.scale)


class HisToGeneNet(nn.Module):
    """Tiles plus their positions through Transformer blocks, then one linear layer to the genes.

    Every tile attends to every other of its section: memory grows with the number of tiles, time with its square.

    Parameters
    ----------
    image
        Pictures of tiles to vectors of length `dim`.
    n_genes
        Length of the prediction.
    n_positions
        Rows of each position table.
    dim, depth, n_heads, head_dim, hidden, dropout
        Of the Transformer; see `PreNormBlock`. Published: 1024, 4 (code) or 8 (tutorial), 16, 64, 2048, 0.1.
    """

    def __init__(
        self,
        image: nn.Module,
        *,
        n_genes: int,
        n_positions: int,
        dim: int,
        depth: int,
        **block: float,
    ) -> None:
        super().__init__()
        self.image = image
        self.position = PositionTables(n_positions, dim)
        self.dropout = nn.Dropout(block.get("dropout", 0.0))
        self.blocks = nn.Sequential(*(PreNormBlock(dim, **block) for _ in range(depth)))  # type: ignore[arg-type]
        self.gene_head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, n_genes))

    def forward(self, inputs: SlideInputs) -> Float[Tensor, "n n_genes"]:
        """Predict the expression of every tile from all of them."""
        tokens = self.dropout(self.image(inputs.image) + self.position(inputs.position))
        return self.gene_head(self.blocks(tokens[None])[0])


def load_histogene(model: HisToGeneNet, path: Path) -> None:
    """Fill a network with the weights of an authors' checkpoint.

    Raises
    ------
    InputError
        If the file is no such checkpoint, or of a network of another size or panel.
    """
    fill(model, renamed(read_weights(path), _RENAMED), what="the published HisToGene", source=str(path))
