"""BLEEP's network (Xie et al., NeurIPS 2023): two projection heads, compared by soft targets; the authors' weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.core.errors import InputError
from mclstexp.nn.foreign_weights import fill, renamed
from mclstexp.nn.heads import ProjectionHead
from mclstexp.nn.image_encoders import untrained_encoder
from mclstexp.nn.losses import contrastive_loss, soft_targets
from mclstexp.nn.pretrained import read_weights


class BleepModel(nn.Module):
    """Image features and expression to embeddings of one length, each through a `ProjectionHead`.

    Parameters
    ----------
    backbone
        What the tiles pass first, to features of length `n_features`; `nn.Identity` where those are given.
    n_features, n_genes
        Length of the image features (after the reduction, if there is one) and of the expression vectors.
    dim
        Length of the embeddings.
    dropout
        Of both heads.
    temperature
        Of logits and targets.
    unit_length
        Compare by cosine; otherwise, as published, by the plain product, which starts at a scale of about `dim`.

    Attributes
    ----------
    reduction, scaling
        What image features and expression pass before their heads; nothing as published.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        n_features: int,
        n_genes: int,
        dim: int = 256,
        dropout: float = 0.1,
        temperature: float = 1.0,
        unit_length: bool = False,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.reduction: nn.Module = nn.Identity()
        self.scaling: nn.Module = nn.Identity()
        self.image_projection = ProjectionHead(n_features, dim, dropout=dropout)
        self.spot_projection = ProjectionHead(n_genes, dim, dropout=dropout)
        self.temperature, self.unit_length = temperature, unit_length

    def embed_images(self, inputs: Tensor) -> Float[Tensor, "n dim"]:
        """Embed tiles from what the backbone takes."""
        return self.embed_features(self.backbone(inputs))

    def embed_features(self, features: Float[Tensor, "n _"]) -> Float[Tensor, "n dim"]:
        """Embed tiles from the features the backbone makes of them."""
        return self._compared(self.image_projection(self.reduction(features)))

    def embed_spots(self, expression: Float[Tensor, "n n_genes"]) -> Float[Tensor, "n dim"]:
        """Embed spots."""
        return self._compared(self.spot_projection(self.scaling(expression)))

    def loss(self, images: Float[Tensor, "n dim"], spots: Float[Tensor, "n dim"]) -> Float[Tensor, ""]:
        """Symmetric cross-entropy against soft targets, of embeddings in the order of the spots."""
        targets = soft_targets(images, spots, temperature=self.temperature)
        return contrastive_loss(spots @ images.T / self.temperature, targets=targets)

    def _compared(self, embeddings: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
        return functional.normalize(embeddings, dim=-1) if self.unit_length else embeddings


_RENAMED = (
    (r"^module\.", ""),
    (r"^image_encoder\.model\.", "backbone.network."),
    (r"_projection\.layer_norm\.", "_projection.norm."),
)
"""Published key → ours, as the release names its tensors."""


def load_bleep(path: Path, *, encoder: str = "resnet50") -> BleepModel:
    """Build the published network with the weights of an authors' checkpoint.

    Parameters
    ----------
    path
        A .pt file of tensors, opened with ``weights_only=True``, or .safetensors.
    encoder
        The timm architecture it was trained with.

    Raises
    ------
    InputError
        If the file is no such checkpoint, or has another image encoder.
    """
    return bleep_from_weights(read_weights(path), source=str(path), encoder=encoder)


def bleep_from_weights(weights: Mapping[str, Tensor], *, source: str, encoder: str | None = "resnet50") -> BleepModel:
    """Build the published network from tensors under the release's key names; see `load_bleep`.

    With `encoder` None the weights are those of the two heads alone, and tiles are given as their features.
    """
    ours = renamed(weights, _RENAMED)
    try:
        dim, n_features = ours["image_projection.projection.weight"].shape
        n_genes = ours["spot_projection.projection.weight"].shape[1]
    except KeyError as error:
        msg = (
            f"a checkpoint of the published BLEEP expected in {source}, found one without {error}: "
            "give the file its training script saved"
        )
        raise InputError(msg) from error
    backbone = nn.Identity() if encoder is None else untrained_encoder(encoder)
    model = BleepModel(backbone, n_features=n_features, n_genes=n_genes, dim=dim)
    # the encoder's own preprocessing is not the file's
    fill(
        model,
        ours,
        what=f"the published BLEEP with {encoder or 'no image encoder'}",
        source=source,
        not_in_file=("backbone.mean", "backbone.std"),
    )
    return model.eval()
