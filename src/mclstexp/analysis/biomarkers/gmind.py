"""G-MIND (Ghosal et al., arXiv 2101.11656): features that a learnt mask keeps, for rows that lack whole kinds."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mclstexp.analysis.biomarkers.modalities import Modalities, Scale
from mclstexp.analysis.biomarkers.rankers import Labels, Ranker, auc, held_out
from mclstexp.nn.gmind import Balance, GMindNetwork
from mclstexp.training.gmind import GMindOptions, fit_gmind, gmind_logits

KEPT: Final = 0.5
"""Probability above which a feature counts as kept."""
_WIDE: Final = 2000
_LOOK: Final = 50  # steps between two looks at the individuals held out


@dataclass
class GMind(Ranker):
    """Coupled autoencoders behind learnt masks, a latent that averages what is there, and a classifier.

    The paper's text could not be read here, and no code was released: the parts are those of its abstract and of a
    figure's caption, widths, weights, prior and training are ours, for the paper's values were not available. A
    probability of the mask is no p value, and of features that say the same it keeps some; where the truth is linear,
    ridge ranks better (docs/biomarkers.md).
    """

    hidden: int | None = None
    """Width of encoders and decoders; None: 64, or 128 for a kind of more than 2,000 features."""
    latent: int = 16
    """Length of the latent."""
    dropout: float = 0.2
    """Share dropped in hidden layers."""
    temperature: float = 0.5
    """Of the masks while they are trained."""
    balance: Balance = field(default_factory=Balance)
    """What the parts of the loss count."""
    training: GMindOptions = field(default_factory=GMindOptions)
    """How it is fitted."""
    patience: int | None = 300
    """Steps without a better AUC on a fifth of the training individuals after which the fit ends, with the best; None:
    all steps, on everybody."""

    def fit(self, modalities: Modalities, labels: Labels, groups: Sequence[str]) -> Self:
        """See `Ranker.fit`; rows without a label still teach what features look like."""
        self.scale_ = Scale.fit(modalities)
        tables, present, told = self._tensors(modalities, labels)
        hidden = self.hidden or (128 if max(table.shape[1] for table in tables) > _WIDE else 64)
        with torch.random.fork_rng():
            torch.manual_seed(self.training.seed)
            network = GMindNetwork(
                [table.shape[1] for table in tables],
                hidden=hidden,
                latent=self.latent,
                dropout=self.dropout,
                temperature=self.temperature,
            )
        out = None if self.patience is None else held_out(np.asarray(groups), labels, seed=self.training.seed)
        rows = np.ones(len(labels), bool) if out is None else ~out
        watch = _Watch(network, None if out is None else (modalities, labels, out), self, patience=self.patience or 0)
        fit_gmind(
            network,
            [table[rows] for table in tables],
            present[rows],
            told[rows],
            options=self.training,
            balance=self.balance,
            on_step=watch if out is not None else None,
        )
        network.load_state_dict(watch.best)
        self.network_, self.steps_ = network, watch.steps
        return self

    def logits(self, modalities: Modalities) -> Float[np.ndarray, " n"]:
        """See `Ranker.logits`: by the expected masks."""
        tables, present, _ = self._tensors(modalities, np.zeros(len(modalities)))
        return gmind_logits(self.network_, tables, present)[:, 0].double().numpy()

    def scores(self) -> list[Float[np.ndarray, " _"]]:
        """See `Ranker.scores`: the probability of each feature's mask, without a sign."""
        return [logits.detach().sigmoid().double().numpy() for logits in self.network_.mask_logits]

    def stability(
        self, modalities: Modalities, labels: Labels, groups: Sequence[str], *, n_fits: int = 20
    ) -> list[Float[np.ndarray, " _"]]:
        """Return the share of fits on half of the individuals (of one, of the rows) in which each feature is kept."""
        kept = []
        units = np.asarray(groups) if len(set(groups)) > 3 else np.arange(len(labels)).astype(str)
        for number in range(n_fits):
            rng = np.random.default_rng(number)
            names = np.unique(units)
            half = np.isin(units, rng.permutation(names)[: (len(names) + 1) // 2])
            again = replace(self, training=replace(self.training, seed=number), patience=None)
            again.fit(modalities.take(half), labels[half], np.asarray(groups)[half].tolist())
            kept.append([scores > KEPT for scores in again.scores()])
        return [np.mean(of_kind, axis=0) for of_kind in zip(*kept, strict=True)]

    def _tensors(self, modalities: Modalities, labels: Labels) -> tuple[list[Tensor], Tensor, Tensor]:
        tables = [torch.from_numpy(values.astype(np.float32)) for values in self.scale_(modalities)]
        return tables, torch.from_numpy(modalities.present), torch.from_numpy(labels.astype(np.float32))


class _Watch:
    """Keeps the weights that tell held-out individuals best, and says when to end."""

    def __init__(
        self,
        network: GMindNetwork,
        held: tuple[Modalities, Labels, np.ndarray] | None,
        of: GMind,
        *,
        patience: int,
    ) -> None:
        self.network, self.patience = network, patience
        self.best, self.steps, self._auc = network.state_dict(), 0, -1.0
        if held is not None:
            modalities, labels, out = held
            self._tables, self._present, _ = of._tensors(modalities.take(out), labels[out])
            self._labels = labels[out]

    def __call__(self, step: int) -> bool:
        if step % _LOOK:
            return False
        logits = gmind_logits(self.network, self._tables, self._present)[:, 0].numpy()
        known = np.isfinite(self._labels)
        found = auc(logits[known], self._labels[known])
        if found > self._auc:
            self._auc, self.steps, self.best = found, step, copy.deepcopy(self.network.state_dict())
        return step - self.steps >= self.patience
