"""A patient's tiles as a few tokens, one for each prototype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float

from mclstexp.cohort.each_bag import each_bag
from mclstexp.cohort.kept import computed_once
from mclstexp.cohort.mixture import Prior
from mclstexp.cohort.prototypes import Prototypes
from mclstexp.core.bag import Bag
from mclstexp.core.cohort import Patients
from mclstexp.core.method import State
from mclstexp.core.stored import stored_arrays
from mclstexp.nn.transport import balanced_plan

Kind = Literal["share", "share_mean", "full", "transport"]
"""What a token holds: the prototype's share; beside it where its tiles lie on a few axes; share, means and variances as
published; or the tiles that entropic transport brings to it, each prototype the same mass."""
_N_AXES = 8
_CLIP = 5.0


@dataclass(frozen=True, eq=False)
class TokenMaker:
    """Makes raw tokens of tiles."""

    prototypes: Prototypes
    """What tiles are compared with."""
    prior: Prior
    """What is expected of a slide."""
    kind: Kind
    """What a token holds."""
    log_ratio: bool
    """Whether shares are logarithms less their mean."""
    rounds: int
    """Of expectation and maximisation."""

    def __call__(self, patients: Patients) -> Float[np.ndarray, "n k numbers"]:
        """Return the tokens of each patient, NaN of those without tiles."""
        if self.kind == "share" and self.rounds == 1:
            shares = self.prototypes.shares_of(patients, self.prior)
            return np.stack([self.described(row) for row in shares])[..., None]

        def about() -> list[Any]:
            return [self.kind, self.log_ratio, self.rounds, *self.prototypes.known_by(patients, self.prior)]

        kept = computed_once("tokens", about, lambda: State({"tokens": self._tokens(patients)}, {}))
        return kept.arrays["tokens"]

    def _tokens(self, patients: Patients) -> Float[np.ndarray, "n k numbers"]:
        k, dim = self.prior.means.shape
        n_numbers = {"share": 1, "share_mean": 1 + dim, "full": 1 + 2 * dim, "transport": dim}[self.kind]
        tokens = np.full((len(patients), k, n_numbers), np.nan)
        row = {name: number for number, name in enumerate(patients.ids)}
        for name, bag in each_bag(patients, "tokens of slides"):
            if bag.n_tiles:
                tokens[row[name]] = self._of(bag)
        return tokens

    def _of(self, bag: Bag) -> Float[np.ndarray, "k numbers"]:
        if self.kind == "transport":
            return self._transported(bag)
        mixture = self.prior.mixture(lambda: self.prototypes.chunks(bag), rounds=self.rounds)
        shares = self.described(mixture.shares)[:, None]
        parts = {"share": (), "share_mean": (mixture.means,), "full": (mixture.means, mixture.variances)}[self.kind]
        return np.concatenate([shares, *parts], axis=1)

    def _transported(self, bag: Bag) -> Float[np.ndarray, "k numbers"]:
        tiles = np.concatenate(list(self.prototypes.chunks(bag)))
        means = self.prior.means
        squared = (tiles**2).sum(axis=1)[:, None] - 2 * tiles @ means.T + (means**2).sum(axis=1)
        return balanced_plan(torch.from_numpy(squared)).numpy().T @ tiles

    def described(self, shares: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Return shares as tokens hold them."""
        if not self.log_ratio:
            return shares
        logs = np.log(shares)
        return logs - logs.mean()


@dataclass(frozen=True, eq=False)
class TokenScale:
    """Brings tokens to what a network takes: means on a few axes, each number at mean 0 and spread 1, cut off at 5."""

    centre: Float[np.ndarray, "k numbers"]
    """Training means of what is projected, and of shares, on which nothing is projected."""
    axes: Float[np.ndarray, "k n_axes numbers"]
    """Of each prototype, the first its share; none where numbers are taken as they are."""
    mean: Float[np.ndarray, "k n_out"]
    """Of what comes out."""
    spread: Float[np.ndarray, "k n_out"]
    """Of what comes out; 1 where it does not vary."""

    @classmethod
    def fit(cls, tokens: Float[np.ndarray, "n k numbers"], *, project: bool, standardise: bool) -> TokenScale:
        """Learn it from training patients with tiles; each by itself, so that a prototype has axes of its own."""
        known = tokens[~np.isnan(tokens).any(axis=(1, 2))]
        centre = known.mean(axis=0)
        axes = np.empty((tokens.shape[1], 0, tokens.shape[2]))
        if project:
            axes = np.stack([_axes(known[:, k] - centre[k]) for k in range(tokens.shape[1])])
        made = _projected(known, centre, axes)
        if not standardise:
            return cls(centre, axes, np.zeros(made.shape[1:]), np.ones(made.shape[1:]))
        spread = made.std(axis=0)
        return cls(centre, axes, made.mean(axis=0), np.where(spread > 1e-12, spread, 1.0))

    def __call__(self, tokens: Float[np.ndarray, "n k numbers"], *, clip: bool) -> Float[np.ndarray, "n k n_out"]:
        """Return scaled tokens, float32; 0 for those without tiles."""
        scaled = (_projected(tokens, self.centre, self.axes) - self.mean) / self.spread
        return np.nan_to_num(np.clip(scaled, -_CLIP, _CLIP) if clip else scaled, nan=0.0).astype(np.float32)

    def state(self) -> State:
        """Return it as a model keeps it."""
        parts = ("centre", "axes", "mean", "spread")
        return State({f"tokens.{part}": getattr(self, part) for part in parts}, {})

    @classmethod
    def of_state(cls, state: State, *, k: int) -> TokenScale:
        """Take back what `state` returned."""
        layout = {"tokens.centre": "k numbers", "tokens.mean": "k n_out", "tokens.spread": "k n_out"}
        centre, mean, spread = stored_arrays(state, layout, k=k)
        return cls(centre, state.arrays["tokens.axes"], mean, spread)


def _axes(tokens: Float[np.ndarray, "n numbers"]) -> Float[np.ndarray, "n_axes numbers"]:
    """Return the share's own axis, and the first principal axes of the rest."""
    first = np.zeros((1, tokens.shape[1]))
    first[0, 0] = 1
    _, _, principal = np.linalg.svd(tokens[:, 1:], full_matrices=False)
    n_axes = min(_N_AXES, len(principal))
    rest = np.concatenate([np.zeros((n_axes, 1)), principal[:n_axes]], axis=1)
    return np.concatenate([first, rest])


def _projected(
    tokens: Float[np.ndarray, "n k numbers"],
    centre: Float[np.ndarray, "k numbers"],
    axes: Float[np.ndarray, "k n_axes numbers"],
) -> Float[np.ndarray, "n k n_out"]:
    return np.einsum("nkd,kad->nka", tokens - centre, axes) if axes.shape[1] else tokens
