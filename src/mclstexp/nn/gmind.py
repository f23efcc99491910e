"""G-MIND's network (Ghosal et al., arXiv 2101.11656): coupled autoencoders behind learnt masks, and a classifier.

Only the abstract and a figure's caption could be read: the parts are the paper's, widths and weights are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.nn.concrete import FeatureMask, kl_to

Tables = Sequence[Float[Tensor, "n _"]]


class GMindNetwork(nn.Module):
    """One latent of all that is there, from which every modality and the label are read.

    Each modality is masked and encoded; the latent is the mean over the modalities that a row has. It is decoded to
    every modality, absent ones too, and classified. Layers are normalised by row: in a batch each row has other
    modalities.

    Parameters
    ----------
    sizes
        Features of each modality.
    n_classes
        1 for yes and no (one logit), else the number of classes.
    hidden, latent
        Widths.
    dropout
        Share dropped in hidden layers.
    temperature
        Of the masks.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        n_classes: int = 1,
        hidden: int = 64,
        latent: int = 16,
        dropout: float = 0.2,
        temperature: float = 0.5,
    ) -> None:
        super().__init__()

        def body(n_in: int, width: int, n_out: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Linear(n_in, width), nn.LayerNorm(width), nn.PReLU(), nn.Dropout(dropout), nn.Linear(width, n_out)
            )

        self.masks = nn.ModuleList(FeatureMask(size, temperature=temperature) for size in sizes)
        self.encoders = nn.ModuleList(body(size, hidden, latent) for size in sizes)
        self.decoders = nn.ModuleList(body(latent, hidden, size) for size in sizes)
        self.classifier = body(latent, latent, n_classes)

    @property
    def mask_logits(self) -> list[nn.Parameter]:
        """α of each modality."""
        return [mask.logits for mask in self.masks if isinstance(mask, FeatureMask)]

    def embed(self, tables: Tables, present: Bool[Tensor, "n n_modalities"]) -> Float[Tensor, "n latent"]:
        """Return the mean encoding of the modalities that each row has; what is absent is never read."""
        total: Tensor = torch.zeros(())
        for k, (mask, encoder) in enumerate(zip(self.masks, self.encoders, strict=True)):
            here = present[:, k, None]
            values = torch.where(here, tables[k], 0)  # an absent row may hold NaN
            total = total.to(values.device) + torch.where(here, encoder(mask(values)), 0)
        return total / present.sum(dim=1, keepdim=True)

    def forward(self, tables: Tables, present: Bool[Tensor, "n n_modalities"]) -> Float[Tensor, "n n_classes"]:
        """Return logits."""
        return self.classifier(self.embed(tables, present))


@dataclass(frozen=True)
class Balance:
    """What the parts of the loss count; the paper's values were not available."""

    reconstruction: float = 0.1
    """λ₁. With 1 or more, features that are predictable win over those that tell the label."""
    classification: float = 1.0
    """λ₂."""
    sparsity: float | None = None
    """λ₃; None: 1 / (number of features)."""
    prior: float = 0.05
    """Share of the features that is expected to count. The group's later work has 0.001: one λ₃ then decides all."""


def gmind_loss(
    network: GMindNetwork,
    tables: Tables,
    present: Bool[Tensor, "n n_modalities"],
    labels: Float[Tensor, " n"],
    *,
    shown: Bool[Tensor, "n n_modalities"],
    varies: Sequence[Bool[Tensor, " _"]],
    balance: Balance = Balance(),
) -> Float[Tensor, ""]:
    """Return λ₁ reconstruction + λ₂ cross-entropy + λ₃ KL of the masks to their prior.

    Parameters
    ----------
    network, tables, present
        As in `GMindNetwork.embed`.
    labels
        Class of each row; NaN where it is not known. At least one is.
    shown
        Of what is present, what the encoders see: the rest is reconstructed unseen.
    varies
        Features that are not constant, of each modality: the others have no share in the KL.
    balance
        λ₁ to λ₃ and the prior.
    """
    latent = network.embed(tables, shown)
    rebuilt = kl = latent.new_zeros(())
    for k, (logits_of_mask, decoder) in enumerate(zip(network.mask_logits, network.decoders, strict=True)):
        here = present[:, k]
        if here.any():
            rebuilt = rebuilt + functional.mse_loss(decoder(latent[here]), tables[k][here])
        kl = kl + kl_to(logits_of_mask, balance.prior)[varies[k]].sum()
    told = ~labels.isnan()
    logits = network.classifier(latent[told])
    if logits.shape[1] == 1:
        wrong = functional.binary_cross_entropy_with_logits(logits[:, 0], labels[told])
    else:
        wrong = functional.cross_entropy(logits, labels[told].long())
    sparsity = 1 / sum(len(some) for some in varies) if balance.sparsity is None else balance.sparsity
    return balance.reconstruction * rebuilt + balance.classification * wrong + sparsity * kl
