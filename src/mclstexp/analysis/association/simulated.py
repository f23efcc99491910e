"""A made-up cohort whose loci are known. Images show two heritable factors among larger ones that are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float

CAUSAL: Final = (20, 150, 270, 350)
"""Numbers of the variants that move a factor, two each."""
_CHROMOSOMES, _PER_CHROMOSOME, _LENGTH_BP = 4, 100, 10_000_000
_FOUNDERS = 12
_SWITCH_BP = 300_000
_NUISANCE, _NUISANCE_VARIANCE, _PIXELS = 6, 16.0, 256
_HERITABLE = 0.25


@dataclass(frozen=True, eq=False)
class SimulatedCohort:
    """People with genotypes and images."""

    dosage: pd.DataFrame
    """0, 1 or 2 of each variant."""
    images: pd.DataFrame
    """Features of each image."""
    factors: pd.DataFrame
    """The two heritable factors that nobody sees."""
    positions: pd.DataFrame
    """"chromosome" and "position" (base pairs) of each variant."""


def simulate_cohort(n: int, *, seed: int, people: int = 0) -> SimulatedCohort:
    """Make a cohort.

    Twelve founder haplotypes over four chromosomes of 10 Mb; a person's two copies switch between them every 300 kb on
    average. Each heritable factor is made of two variants (a quarter of its variance) and chance; six nuisance factors
    have sixteen times its variance. An image is 256 features that all eight load on, and noise.

    Parameters
    ----------
    n
        People.
    seed
        Of the world: founders and loadings.
    people
        Of who is drawn from it; cohorts of one world and other people are a discovery and its replication.
    """
    world, rng = np.random.default_rng(seed), np.random.default_rng([seed, people + 1])
    n_variants = _CHROMOSOMES * _PER_CHROMOSOME
    founders = (world.random((_FOUNDERS, n_variants)) < world.uniform(0.1, 0.5, n_variants)).astype(float)
    places = np.sort(world.integers(0, _LENGTH_BP, (_CHROMOSOMES, _PER_CHROMOSOME)), axis=1)
    dosage = sum(_copies(founders, places, n, rng) for _ in range(2))
    assert isinstance(dosage, np.ndarray)
    causal = dosage[:, CAUSAL]
    spread = causal.std(axis=0)
    causal = (causal - causal.mean(axis=0)) / np.where(spread > 0, spread, 1)
    chance = rng.normal(size=(n, 2))
    factors = np.sqrt(_HERITABLE / 2) * causal.reshape(n, 2, 2).sum(axis=2) + np.sqrt(1 - _HERITABLE) * chance
    nuisance = np.sqrt(_NUISANCE_VARIANCE) * rng.normal(size=(n, _NUISANCE))
    loadings = world.normal(size=(2 + _NUISANCE, _PIXELS))
    loadings /= np.linalg.norm(loadings, axis=1, keepdims=True)
    images = 4 * np.hstack([factors, nuisance]) @ loadings + 0.2 * rng.normal(size=(n, _PIXELS))
    names = pd.Index([f"P{people}-{k}" for k in range(n)], dtype=object)
    variants = [f"v{k}" for k in range(n_variants)]
    positions = pd.DataFrame(
        {"chromosome": np.repeat(np.arange(_CHROMOSOMES), _PER_CHROMOSOME), "position": places.ravel()}, index=variants
    )
    return SimulatedCohort(
        pd.DataFrame(dosage, index=names, columns=variants),
        pd.DataFrame(images, index=names, columns=[f"x{k}" for k in range(_PIXELS)]),
        pd.DataFrame(factors, index=names, columns=["factor 1", "factor 2"]),
        positions,
    )


def _copies(
    founders: Float[np.ndarray, "n_founders n_variants"], places: np.ndarray, n: int, rng: np.random.Generator
) -> Float[np.ndarray, "n n_variants"]:
    """Draw one copy of each person's genome: a mosaic of founders."""
    n_variants = founders.shape[1]
    gaps = np.diff(places, axis=1, prepend=-(10 * _LENGTH_BP)).ravel()  # a chromosome begins anew
    switches = rng.random((n, n_variants)) < -np.expm1(-gaps / _SWITCH_BP)
    drawn = rng.integers(len(founders), size=(n, n_variants))
    last = np.maximum.accumulate(np.where(switches, np.arange(n_variants), 0), axis=1)
    whose = np.take_along_axis(drawn, last, axis=1)
    return founders[whose, np.arange(n_variants)]
