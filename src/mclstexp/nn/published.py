"""The published mclSTExp network (Min et al., arXiv 2407.08216), as its released code computes it."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from mclstexp.nn.heads import ProjectionHead
from mclstexp.nn.image_encoders import ImageEncoder
from mclstexp.nn.losses import contrastive_loss
from mclstexp.nn.position import PositionTables
from mclstexp.nn.transformer import PreNormBlock


def as_released(encoder: ImageEncoder) -> ImageEncoder:
    """Change an encoder to what the release makes of it: RGB in [0, 1] as it is, a DenseNet without its last ReLU.

    The encoder itself is changed and returned, under another name: a cache of features knows an encoder by name
    and weights, and neither would tell that the ReLU is gone.
    """
    encoder.name = f"{encoder.name}, as released"
    encoder.mean.zero_()
    encoder.std.fill_(1)
    last_norm = getattr(getattr(encoder.network, "features", None), "norm5", None)
    if last_norm is not None:
        last_norm.act = nn.Identity()
    return encoder


class PublishedModel(nn.Module):
    """Image features and spot sequences to embeddings of one length, compared by their plain product.

    What sets it apart from `ContrastiveModel`: the sequence of the spot encoder is whatever batch it is given,
    positions are tables over array coordinates as wide as the expression vector, embeddings are not normalised
    and the temperature is 1, so that the logits start at a scale of about 256.

    Parameters
    ----------
    image_encoder
        What the tiles pass first, to features of length `n_features`; `nn.Identity` where those are given.
    n_features, n_genes
        Length of the image features and of the expression vectors.
    n_positions
        Rows of each position table.
    dim
        Length of the embeddings.
    n_blocks
        Depth of the spot encoder.
    """

    def __init__(
        self,
        image_encoder: nn.Module,
        *,
        n_features: int,
        n_genes: int,
        n_positions: int,
        dim: int = 256,
        n_blocks: int = 2,
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.position = PositionTables(n_positions, n_genes)
        self.spot_encoder = nn.Sequential(*(PreNormBlock(n_genes) for _ in range(n_blocks)))
        self.image_projection = ProjectionHead(n_features, dim)
        self.spot_projection = ProjectionHead(n_genes, dim)

    def embed_images(self, inputs: Tensor) -> Float[Tensor, "n dim"]:
        """Embed tiles; rows have length about √dim."""
        return self.image_projection(self.image_encoder(inputs))

    def embed_spots(
        self, expression: Float[Tensor, "n n_genes"], position: Int[Tensor, "n 2"]
    ) -> Float[Tensor, "n dim"]:
        """Embed spots, all of them attending to each other: what stands in the batch matters, its order does not."""
        sequence = (expression + self.position(position))[None]
        return self.spot_projection(self.spot_encoder(sequence)[0])

    def loss(self, spots: Float[Tensor, "n dim"], images: Float[Tensor, "n dim"]) -> Float[Tensor, ""]:
        """Symmetric cross-entropy of the plain products at temperature 1."""
        return contrastive_loss(spots @ images.T)


@torch.inference_mode()
def embed_in_batches(
    model: PublishedModel,
    expression: Float[Tensor, "n n_genes"],
    position: Int[Tensor, "n 2"],
    *,
    batch_size: int = 32,
) -> Float[Tensor, "n dim"]:
    """Embed reference spots as the release does: consecutive rows, `batch_size` of them seeing each other.

    Rows must be training spots alone. The release exports all sections in one go, so that 31 of its 361 batches
    on her2st let spots of the held-out section into the keys; here the caller has none to let in.
    """
    model.eval()
    batches = zip(expression.split(batch_size), position.split(batch_size), strict=True)
    return torch.cat([model.embed_spots(*batch) for batch in batches])
