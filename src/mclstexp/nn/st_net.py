"""ST-Net's network (He et al. 2020): a linear layer on image features that starts at the mean; the authors' weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.core.errors import InputError
from mclstexp.nn.foreign_weights import fill, renamed
from mclstexp.nn.image_encoders import untrained_encoder
from mclstexp.nn.pretrained import read_weights


class StNet(nn.Module):
    """Image features to expression by one linear layer: weights start at zero, the bias at the training mean.

    Parameters
    ----------
    backbone
        What the tiles pass first, to features; `nn.Identity` where those are given.
    n_features
        Length of the features.
    mean
        (n_genes,) mean expression of the training spots.

    Attributes
    ----------
    scaling
        What features pass before the linear layer; nothing as published.
    """

    def __init__(self, backbone: nn.Module, *, n_features: int, mean: Float[Tensor, " n_genes"]) -> None:
        super().__init__()
        self.backbone = backbone
        self.scaling: nn.Module = nn.Identity()
        self.head = nn.Linear(n_features, len(mean))
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():
            self.head.bias.copy_(mean)

    def forward(self, inputs: Tensor) -> Float[Tensor, "n n_genes"]:
        """Predict tiles from what the backbone takes."""
        return self.read(self.backbone(inputs))

    def read(self, features: Float[Tensor, "n _"]) -> Float[Tensor, "n n_genes"]:
        """Read expression off the features the backbone makes; the mean of features gives the mean of predictions."""
        return self.head(self.scaling(features))


def st_net_loss(predicted: Float[Tensor, "n n_genes"], truth: Float[Tensor, "n n_genes"]) -> Float[Tensor, ""]:
    """Sum over the batch of the squared error averaged over genes, as published: its gradient grows with the batch."""
    return (predicted - truth).square().mean(dim=1).sum()


_RENAMED = (
    (r"^module\.", ""),
    (r"^features\.", "backbone.network.features."),
    (r"^classifier\.", "head."),
)
"""torchvision's key → ours, as the release names its tensors."""


def load_st_net(path: Path) -> StNet:
    """Build the published network (DenseNet-121) with the weights of an authors' checkpoint.

    Parameters
    ----------
    path
        A .pt file, opened with ``weights_only=True``: tensors by torchvision's names, or those under "model".

    Raises
    ------
    InputError
        If the file is no such checkpoint.
    """
    return st_net_from_weights(read_weights(path), source=str(path))


def st_net_from_weights(weights: Mapping[str, Tensor], *, source: str) -> StNet:
    """Build the published network from tensors under the release's key names; see `load_st_net`."""
    ours = renamed(weights, _RENAMED)
    if "head.bias" not in ours:
        msg = (
            f"a checkpoint of the published ST-Net expected in {source}, found one without classifier.bias: "
            "give the file its training script saved"
        )
        raise InputError(msg)
    backbone = untrained_encoder("densenet121")
    model = StNet(backbone, n_features=backbone.dim, mean=torch.zeros_like(ours["head.bias"]))
    fill(
        model,
        ours,
        what="the published ST-Net with DenseNet-121 (other image encoders are not imported)",
        source=source,
        not_in_file=("backbone.mean", "backbone.std"),  # the encoder's own preprocessing
    )
    return model.eval()
