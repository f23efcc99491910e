"""What a network of tokens says when some of them are moved: of a pair of tokens, and of a kind of tile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Risk = Callable[[Tensor, Tensor], Float[np.ndarray, " n"]]
"""Scaled tokens of slides and standardised genes to risks."""
_STEP: Final = 0.01


def pair_effects(
    risk: Risk, tokens: Float[Tensor, "n k _"], genes: Float[Tensor, "n n_values"], *, sizes: Sequence[int]
) -> Float[np.ndarray, "k j"]:
    """Return what risks gain when a prototype and a pathway rise together, beyond what each gains alone.

    Parameters
    ----------
    risk
        Says what the model says.
    tokens, genes
        Of some patients, over whom the mean is taken. Of a token its first number is raised, of a pathway all genes, by
        a standard deviation.
    sizes
        How many genes each pathway has.
    """
    ends = np.cumsum(sizes)
    raised = [genes.clone() for _ in sizes]
    for own, start, end in zip(raised, ends - sizes, ends, strict=True):
        own[:, start:end] += 1
    expressed = [genes, *raised]
    kinds = [tokens, *(_raised(tokens, k) for k in range(tokens.shape[1]))]
    said = np.array([[risk(kind, own).mean() for own in expressed] for kind in kinds])
    return said[1:, 1:] - said[1:, :1] - said[:1, 1:] + said[0, 0]


def share_effects(
    risk: Callable[[Float[np.ndarray, "n k"]], Float[np.ndarray, " n"]], shares: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " k"]:
    """Return how a patient's risk moves with more of each prototype and less of all, per unit of share.

    Parameters
    ----------
    risk
        Shares to risks, all else the patient's own.
    shares
        The patient's.
    """
    more = np.vstack([shares, (1 - _STEP) * shares + _STEP * np.eye(len(shares))])
    said = risk(more)
    return (said[1:] - said[0]) / _STEP


def some_rows(n: int, most: int = 64) -> Tensor:
    """Return rows of patients, evenly spread."""
    return torch.from_numpy(np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64)))


def _raised(tokens: Tensor, k: int) -> Tensor:
    moved = tokens.clone()
    moved[:, k, 0] += 1
    return moved
