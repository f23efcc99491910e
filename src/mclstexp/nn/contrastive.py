"""The contrastive model: two encoders whose embeddings meet on the unit sphere, and a learnt temperature."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.nn.heads import Reduction
from mclstexp.nn.image_encoders import ImageEncoder

MAX_SCALE = 100.0
"""Upper bound of the learnt inverse temperature, as in CLIP (Radford et al. 2021, §2.5)."""


class TileEncoder(nn.Module):
    """Reduced features of a tile (and its surroundings) to an embedding: dropout, one linear layer.

    Parameters
    ----------
    n_components
        Length of the reduced features.
    dim
        Length of the embedding.
    dropout
        Share of reduced features dropped in training.
    """

    def __init__(self, n_components: int, *, dim: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(n_components, dim)

    def forward(self, reduced: Float[Tensor, "n n_components"]) -> Float[Tensor, "n dim"]:
        """Embed reduced features."""
        return self.project(self.dropout(reduced))


class ContrastiveModel(nn.Module):
    """Image encoder and spot encoder trained so that a tile's embedding lies nearest to its own spot's.

    Both `embed_images` and `embed_spots` return unit vectors; the logits are their cosine times the learnt
    inverse temperature. The same vectors and the same scale serve the loss and the retrieval.

    Parameters
    ----------
    image_encoder, spot_encoder
        Modules to embeddings of one length.
    temperature
        Where the learnt temperature starts (0.07 in CLIP).
    n_genes
        With it, a linear head reads expression off the image embedding.
    """

    def __init__(
        self,
        image_encoder: nn.Module,
        spot_encoder: nn.Module,
        *,
        temperature: float = 0.07,
        n_genes: int | None = None,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.spot_encoder = spot_encoder
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))
        self.regression = None if n_genes is None else _zero_linear(spot_encoder.dim, n_genes)  # type: ignore[arg-type]

    @property
    def scale(self) -> Float[Tensor, ""]:
        """Inverse temperature, bounded."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)

    def embed_images(self, *inputs: Tensor) -> Float[Tensor, "n dim"]:
        """Embed tiles as unit vectors."""
        return functional.normalize(self.image_encoder(*inputs), dim=-1)

    def embed_spots(self, *inputs: Tensor) -> Float[Tensor, "n dim"]:
        """Embed spots as unit vectors."""
        return functional.normalize(self.spot_encoder(*inputs), dim=-1)

    def regress(self, image_embeddings: Float[Tensor, "n dim"]) -> Float[Tensor, "n n_genes"]:
        """Read (standardised) expression off image embeddings by the linear head."""
        if self.regression is None:
            msg = "this model has no regression head"
            raise RuntimeError(msg)
        return self.regression(image_embeddings * image_embeddings.shape[-1] ** 0.5)


def _zero_linear(dim: int, n_genes: int) -> nn.Linear:
    """Start at the mean expression (zero when standardised): the head then only adds what it learns."""
    layer = nn.Linear(dim, n_genes)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class TunedTileEncoder(nn.Module):
    """A trainable image encoder in front of a `TileEncoder`: pixels and frozen features to an embedding.

    Parameters
    ----------
    backbone
        Pixels (n, 3, size_px, size_px) to features (n, n_own), fitted end to end.
    reduction
        Takes the backbone's features and, behind them, the frozen ones of wider views and surroundings.
    head
        Embeds what is left.
    dtype
        Precision of the backbone's products; weights and their updates stay float32.
    """

    def __init__(
        self, backbone: ImageEncoder, reduction: Reduction, head: TileEncoder, *, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.backbone = backbone.to(memory_format=torch.channels_last)
        self.reduction, self.head = reduction, head
        self.dtype = dtype

    def forward(self, images: Tensor, others: Float[Tensor, "n n_others"]) -> Float[Tensor, "n dim"]:
        """Embed tiles from their pixels."""
        with torch.autocast(images.device.type, self.dtype, enabled=self.dtype != torch.float32):
            own = self.backbone(images.to(memory_format=torch.channels_last))
        return self.head(self.reduction(torch.cat([own, others], dim=-1)))
