"""Fitting networks that take a whole section at once: one section, one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.section import Section
from mclstexp.nn.slide_inputs import SlideInputs
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.progress import train_shown


@dataclass(frozen=True)
class SlideTruth:
    """What was measured on one training section."""

    expression: Float[Tensor, "n_spots n_genes"]
    """In the model's expression space."""
    counts: Float[Tensor, "n_spots n_genes"]
    """Raw counts of the panel."""
    size_factor: Float[Tensor, " n_spots"]
    """A spot's total over the panel, over the section's median of totals (Hist2ST)."""

    def to(self, device: torch.device) -> SlideTruth:
        """Return the same on another device."""
        return SlideTruth(self.expression.to(device), self.counts.to(device), self.size_factor.to(device))

    @classmethod
    def of(cls, section: Section, space: ExpressionSpace) -> SlideTruth:
        """Take a training section's truth."""
        counts = space.counts(section.counts).astype(np.float32)
        totals = counts.sum(axis=1)
        # a section of empty spots has a median of 0
        factor = totals / max(float(np.median(totals)), 1.0)
        return cls(*map(torch.from_numpy, (space(section.counts), counts, factor.astype(np.float32))))


@dataclass(frozen=True)
class SlideTable:
    """Training sections, ready for a network."""

    inputs: tuple[SlideInputs, ...]
    """What the network sees of each."""
    truth: tuple[SlideTruth, ...]
    """What it should say."""

    def __len__(self) -> int:
        return len(self.inputs)

    def to(self, device: torch.device) -> SlideTable:
        """Return the same on another device."""
        return SlideTable(tuple(i.to(device) for i in self.inputs), tuple(t.to(device) for t in self.truth))

    @classmethod
    def build(cls, sections: Sequence[Section], inputs: Sequence[SlideInputs], *, space: ExpressionSpace) -> SlideTable:
        """Put sections' inputs and truth side by side."""
        return cls(tuple(inputs), tuple(SlideTruth.of(section, space) for section in sections))

    def feature_moments(self, *, standardise: bool = True) -> tuple[Tensor, Tensor]:
        """Return (mean, spread) of the image features over all training tiles, each (n_features,).

        Where features are on one scale already, a spread of 1 leaves it to them.
        """
        joined = torch.cat([one.image for one in self.inputs]).double()
        spread = joined.std(dim=0, correction=0) if standardise else torch.ones(joined.shape[1])
        return joined.mean(dim=0).float(), torch.where(spread > 0, spread, 1.0).float()

    def expression_mean(self) -> Tensor:
        """Return the mean expression per gene over all training spots, (n_genes,)."""
        return torch.cat([one.expression for one in self.truth]).double().mean(dim=0).float()

    def expression_spread(self) -> Tensor:
        """Return the standard deviation per gene over all training spots, (n_genes,); 1 where a gene is constant."""
        spread = torch.cat([one.expression for one in self.truth]).double().std(dim=0, correction=0)
        return torch.where(spread > 0, spread, 1.0).float()


SlideLoss = Callable[[SlideInputs, SlideTruth], Tensor]
"""Loss of one section."""


def fit_slides(
    model: nn.Module,
    table: SlideTable,
    loss: SlideLoss,
    *,
    options: TrainingOptions,
    workdir: Path | None = None,
    label: str = "fit",
) -> list[dict[str, float]]:
    """Fit a network section by section, in a new order every epoch.

    Parameters
    ----------
    model
        On the device where it is to be fitted.
    table
        Training sections; moved to the model's device one by one, so that only one is there at a time.
    loss
        Of one section; it calls the model.
    options
        How; the batch is one section whatever `batch_size` says, as published.
    workdir, label
        See `train`.

    Returns
    -------
    The history of `train`.
    """
    device = next(model.parameters()).device

    def step(rows: Tensor) -> Tensor:
        number = int(rows[0])
        return loss(table.inputs[number].to(device), table.truth[number].to(device))

    options = replace(options, batch_size=1)
    return train_shown(model, step, len(table), options=options, workdir=workdir, label=label)
