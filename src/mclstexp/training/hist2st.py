"""The loss of Hist2ST: squared error, likelihood of the counts, and agreement with augmented passes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from mclstexp.nn.hist2st import Hist2STNet
from mclstexp.nn.slide_inputs import SlideInputs
from mclstexp.nn.zinb import zinb_loss
from mclstexp.training.augment import as_hist2st
from mclstexp.training.slides import SlideTruth


@dataclass(frozen=True)
class Hist2STLoss:
    """MSE + `zinb_weight` · ZINB + `distil_weight` · MSE(mean of augmented passes, plain pass)."""

    mean: Float[Tensor, " n_genes"]
    """Taken off the expression before it is compared."""
    spread: Float[Tensor, " n_genes"]
    """Expression is divided by it then."""
    zinb_weight: float = 0.25
    """Of the counts' negative log-likelihood."""
    distil_weight: float = 0.5
    """Of the self-distillation."""
    n_augmented: int = 5
    """Augmented passes of it; 0 without distillation (features cannot be augmented)."""

    def __call__(self, model: Hist2STNet, inputs: SlideInputs, truth: SlideTruth) -> Float[Tensor, ""]:
        """Return the loss of one section; the network is in training mode."""
        plain = model(inputs)
        loss = functional.mse_loss(plain.expression, (truth.expression - self.mean) / self.spread)
        if self.zinb_weight > 0:
            loss = loss + self.zinb_weight * zinb_loss(truth.counts, plain.counts, size_factor=truth.size_factor)
        if self.distil_weight > 0 and self.n_augmented > 0:
            teacher = self._augmented(model, inputs)
            # no gradient is stopped on either side, as published
            loss = loss + self.distil_weight * functional.mse_loss(plain.expression, teacher)
        return loss

    def _augmented(self, model: Hist2STNet, inputs: SlideInputs) -> Float[Tensor, "n n_genes"]:
        """Average augmented passes, each tile by the network's own confidence in each."""
        passes = [model(replace(inputs, image=as_hist2st(inputs.image))) for _ in range(self.n_augmented)]
        weights = torch.stack([one.confidence for one in passes]).softmax(dim=0)
        return (weights * torch.stack([one.expression for one in passes])).sum(dim=0)
