"""A made-up study whose biomarkers are known. Three kinds of features, some missing, one latent tells the label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from mclstexp.analysis.biomarkers.modalities import Modalities

SIZES: Final = (100, 100, 300)
TELLING: Final = (5, 5, 8)
"""The first features of each kind load on what tells the label."""
_STRUCTURE: Final = 30  # the next load on what does not
_LATENTS: Final = 4
_NOISE: Final = 0.3  # of the label's latent


@dataclass(frozen=True, eq=False)
class Planted:
    """Rows, their label, and which features tell it."""

    modalities: Modalities
    labels: Float[np.ndarray, " n"]
    true: tuple[Bool[np.ndarray, " _"], ...]


def plant(n: int, *, seed: int, missing: float = 0.3, world: int = 0) -> Planted:
    """Make rows of a study.

    A row has a latent h ∈ R⁴; its label is 1 where h₀ + 0.3 ξ > 0. The first 5, 5 and 8 features of three kinds are ±h₀
    and unit noise, the next 30 of each mix h₁ to h₃ (structure that tells nothing), the rest is noise.

    Parameters
    ----------
    n
        Rows.
    seed
        Of the rows.
    missing
        Chance that a kind is absent; one always stays.
    world
        Of what features are made of: rows of one world are one study.
    """
    made, rng = np.random.default_rng([world, 7]), np.random.default_rng([seed, world])
    loads = [np.zeros((_LATENTS, size)) for size in SIZES]
    for load, telling in zip(loads, TELLING, strict=True):
        load[0, :telling] = made.choice([-1.0, 1.0], telling)
        load[1:, telling : telling + _STRUCTURE] = made.normal(size=(_LATENTS - 1, _STRUCTURE))
    latent = rng.normal(size=(n, _LATENTS))
    labels = (latent[:, 0] + _NOISE * rng.normal(size=n) > 0).astype(float)
    present = rng.random((n, len(SIZES))) >= missing
    present[np.arange(n), rng.integers(len(SIZES), size=n)] |= ~present.any(axis=1)
    tables = {}
    for kind, load in enumerate(loads):
        values = latent @ load + rng.normal(size=(n, SIZES[kind]))
        values[~present[:, kind]] = np.nan
        tables[f"kind {kind + 1}"] = pd.DataFrame(values)
    true = tuple(np.arange(size) < telling for size, telling in zip(SIZES, TELLING, strict=True))
    return Planted(Modalities.of_tables(tables), labels, true)


def average_precision(scores: Float[np.ndarray, " n"], true: Bool[np.ndarray, " n"]) -> float:
    """Return the mean precision at each true feature, from the highest score down."""
    order = np.argsort(-scores, kind="stable")
    hits = true[order]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
