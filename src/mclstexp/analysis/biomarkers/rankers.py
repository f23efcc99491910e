"""What ranks features by how well they tell a label: ridge, elastic net, and both on one kind of features alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from jaxtyping import Float
from scipy.special import expit
from scipy.stats import rankdata

from mclstexp.analysis.biomarkers.modalities import Modalities, Scale
from mclstexp.analysis.biomarkers.regression import largest_l1, penalised_logistic

RIDGE: Final = (1e4, 1e3, 1e2)
"""Penalties that are tried, of ½ λ β² beside the log-likelihood of all rows; what holds back most first."""
L1_RATIO: Final = 0.5
NET: Final = tuple(np.geomspace(1, 0.01, 8))
"""Penalties of the elastic net that are tried, by the one at which nothing counts."""
Labels = Float[np.ndarray, " n"]


class Ranker(ABC):
    """Learns a label of 0 and 1 from features of several kinds."""

    @abstractmethod
    def fit(self, modalities: Modalities, labels: Labels, groups: Sequence[str]) -> Self:
        """Learn; rows of NaN have no label, and `groups` say which rows are one individual's."""

    @abstractmethod
    def logits(self, modalities: Modalities) -> Float[np.ndarray, " n"]:
        """Return log odds of 1 for each row, by whatever kinds it has."""

    @abstractmethod
    def scores(self) -> list[Float[np.ndarray, " _"]]:
        """Return of each kind what each feature counts; a sign says which label it speaks for, if there is one."""


@dataclass
class Linear(Ranker):
    """Penalised logistic regression on all kinds side by side, absent ones as 0, with a column for each that says so.

    The penalty is chosen by the AUC on one fifth of the training individuals, or on a fifth of the rows of one.
    """

    l1_ratio: float = 0.0
    """0 for ridge, `L1_RATIO` for the elastic net."""
    penalties: Sequence[float] = field(default_factory=lambda: RIDGE)
    """What is tried; of the elastic net by the one at which nothing counts."""

    def fit(self, modalities: Modalities, labels: Labels, groups: Sequence[str]) -> Self:
        """See `Ranker.fit`; rows without a label are not looked at."""
        told = np.isfinite(labels)
        modalities, labels = modalities.take(told), labels[told]
        best = 0
        out = held_out(np.asarray(groups)[told], labels)
        if out is not None and len(self.penalties) > 1:
            scale = Scale.fit(modalities.take(~out))
            path = self._path(design_of(scale, modalities.take(~out)), labels[~out])
            test = design_of(scale, modalities.take(out))
            best = int(np.argmax([auc(test @ beta[1:], labels[out]) for beta in path]))
        self.scale_ = Scale.fit(modalities)
        self.beta_ = self._path(design_of(self.scale_, modalities), labels, last=best)[-1]
        self._sizes = [values.shape[1] for values in modalities.values]
        return self

    def logits(self, modalities: Modalities) -> Float[np.ndarray, " n"]:
        """See `Ranker.logits`."""
        return self.beta_[0] + design_of(self.scale_, modalities) @ self.beta_[1:]

    def scores(self) -> list[Float[np.ndarray, " _"]]:
        """See `Ranker.scores`: coefficients by standard deviation."""
        return np.split(self.beta_[1 : 1 + sum(self._sizes)], np.cumsum(self._sizes)[:-1])

    def _path(self, design: np.ndarray, labels: Labels, *, last: int | None = None) -> list[np.ndarray]:
        """Fit the penalties in turn, each from the one before."""
        most = largest_l1(design, labels) / self.l1_ratio if self.l1_ratio else 1.0
        found: list[np.ndarray] = []
        for penalty in self.penalties[: None if last is None else last + 1]:
            size = most * penalty
            found.append(
                penalised_logistic(
                    design,
                    labels,
                    l1=size * self.l1_ratio,
                    l2=size * (1 - self.l1_ratio),
                    start=found[-1] if found else None,
                )
            )
        return found


@dataclass
class LateFusion(Ranker):
    """A ridge on each kind of features alone; the mean of the log odds of the kinds that a row has."""

    def fit(self, modalities: Modalities, labels: Labels, groups: Sequence[str]) -> Self:
        """See `Ranker.fit`."""
        self._sizes = [values.shape[1] for values in modalities.values]
        self.parts_: list[Linear | None] = []
        for kind, here in enumerate(modalities.present.T):
            told = here & np.isfinite(labels)
            enough = len(np.unique(labels[told])) == 2
            mine = modalities.only(np.arange(len(modalities.names)) == kind)
            self.parts_.append(
                Linear().fit(mine.take(told), labels[told], np.asarray(groups)[told].tolist()) if enough else None
            )
        return self

    def logits(self, modalities: Modalities) -> Float[np.ndarray, " n"]:
        """See `Ranker.logits`."""
        total, n = np.zeros(len(modalities)), np.zeros(len(modalities))
        for kind, part in enumerate(self.parts_):
            here = modalities.present[:, kind]
            if part is not None and here.any():
                total[here] += part.logits(modalities.take(here).only(np.arange(len(modalities.names)) == kind))
                n += here
        return total / np.maximum(n, 1)

    def scores(self) -> list[Float[np.ndarray, " _"]]:
        """See `Ranker.scores`."""
        parts = zip(self.parts_, self._sizes, strict=True)
        return [np.zeros(n) if part is None else part.scores()[kind] for kind, (part, n) in enumerate(parts)]


def design_of(scale: Scale, modalities: Modalities) -> Float[np.ndarray, "n p"]:
    """Return z values side by side, then which kinds are there, where that differs among kinds."""
    tables = scale(modalities)
    said = modalities.present.astype(float) if len(tables) > 1 else np.zeros((len(modalities), 0))
    return np.hstack([*tables, said])


def held_out(groups: np.ndarray, labels: Labels, *, share: float = 0.2, seed: int = 0) -> np.ndarray | None:
    """Mark the rows of a fifth of the individuals, or of two a fifth of the rows; None if a label goes missing."""
    rng = np.random.default_rng(seed)
    names = np.unique(groups)
    if len(names) > 2:
        chosen = rng.permutation(names)[: max(1, round(share * len(names)))]
        out = np.isin(groups, chosen)
    else:
        out = rng.random(len(groups)) < share
    known = np.isfinite(labels)
    both = all(len(np.unique(labels[some & known])) == 2 for some in (out, ~out))
    return out if both else None


def auc(scores: Float[np.ndarray, " n"], labels: Labels) -> float:
    """Return the chance that a row of 1 has the higher score than one of 0, draws counting half; NaN without both."""
    ones = labels == 1
    n_ones, n_zeros = int(ones.sum()), int((labels == 0).sum())
    if not (n_ones and n_zeros):
        return float("nan")
    return float((rankdata(scores)[ones].sum() - n_ones * (n_ones + 1) / 2) / (n_ones * n_zeros))


def probability(logits: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Turn log odds into probabilities."""
    return expit(logits)
