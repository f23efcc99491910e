"""Made-up patients whose outcome is known to hang on one pathway in one kind of tissue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from mclstexp.core.cohort import ArrayBag, Outcomes, Patients

N_KINDS: Final = 5
N_PATHWAYS: Final = 8
N_SITES: Final = 12
_DIM: Final = 16
_FEWEST_TILES, _MOST_TILES = 80, 200


@dataclass(frozen=True, eq=False)
class MadePatients:
    """Patients, what became of them, and why."""

    patients: Patients
    outcomes: Outcomes
    risk: Float[np.ndarray, " n_patients"]
    """The true log hazard."""
    centres: Float[np.ndarray, "n_kinds dim"]
    """True means of the kinds of tiles."""


@dataclass(frozen=True)
class World:
    """What made-up patients have in common: kinds of tiles, pathways, and what moves the outcome."""

    effect: float = 1.0
    """What the true log hazard is multiplied by; 0 and nothing that is seen matters."""
    site_shift: float = 0.3
    """Standard deviation of what a site's stain adds to features."""
    site_hazard: float = 0.0
    """Standard deviation of what a site adds to the log hazard."""
    n_tiles: int | None = None
    """Tiles of each patient; by default 80 to 199."""

    def make(self, n_patients: int, *, seed: int = 0) -> MadePatients:
        """Make patients.

        The log hazard is 1.2 z(share of kind 1) · pathway 1 + 0.5 pathway 2 + 0.4 z(share of kind 2): the first pathway
        matters where there is much of the first kind, and works the other way where there is little. Times are
        Weibull's, about 60 % with an event. `covariates` hold an age and a stage; neither matters.
        """
        rng = np.random.default_rng(seed)
        centres, loadings = _centres(), _loadings()
        ids = tuple(f"patient {number + 1}" for number in range(n_patients))
        shares = rng.dirichlet(np.full(N_KINDS, 1.5), n_patients)
        activity = rng.normal(size=(n_patients, N_PATHWAYS))
        site = rng.integers(N_SITES, size=n_patients)
        shift = rng.normal(0, self.site_shift, (N_SITES, _DIM))
        bags = tuple(self._bag(rng, shares[row], centres + shift[site[row]]) for row in range(n_patients))
        genes = _genes(rng, activity, loadings)
        z = (shares - shares.mean(axis=0)) / shares.std(axis=0)
        risk = self.effect * (1.2 * z[:, 0] * activity[:, 0] + 0.5 * activity[:, 1] + 0.4 * z[:, 1])
        risk += rng.normal(0, 1, N_SITES)[site] * self.site_hazard
        outcomes = follow_up(rng, ids, risk)
        index = pd.Index(ids, dtype=object)
        genes.index = index
        sets = {name: tuple(genes.columns[genes.columns.str.startswith(f"{name} ")]) for name in pathway_names()}
        scores = pd.DataFrame({name: genes[list(of)].mean(axis=1) for name, of in sets.items()}, index=index)
        clinic = {"age": rng.normal(60, 10, n_patients), "stage": rng.integers(1, 5, n_patients)}
        patients = Patients(
            ids=ids,
            sites=tuple(f"site {number + 1}" for number in site),
            covariates=pd.DataFrame(clinic, index=index),
            bags=bags,
            pathways=scores,
            genes=genes,
            gene_sets=sets,
        )
        return MadePatients(patients, outcomes, risk, centres)

    def _bag(
        self, rng: np.random.Generator, shares: Float[np.ndarray, " k"], centres: Float[np.ndarray, "k dim"]
    ) -> ArrayBag:
        n_tiles = self.n_tiles or int(rng.integers(_FEWEST_TILES, _MOST_TILES))
        kinds = rng.choice(N_KINDS, n_tiles, p=shares)
        return ArrayBag(centres[kinds] + rng.normal(size=(n_tiles, _DIM)))


def pathway_names() -> list[str]:
    """Name the made-up pathways."""
    return [f"pathway {number + 1}" for number in range(N_PATHWAYS)]


def _centres() -> Float[np.ndarray, "k dim"]:
    drawn = np.random.default_rng(99).normal(size=(N_KINDS, _DIM))
    return 6 * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def _loadings() -> list[Float[np.ndarray, " n_genes"]]:
    rng = np.random.default_rng(98)
    sizes: Int[np.ndarray, " n"] = rng.integers(8, 20, N_PATHWAYS)
    return [rng.uniform(0.5, 1.2, size) for size in sizes]


def _genes(
    rng: np.random.Generator, activity: Float[np.ndarray, "n j"], loadings: list[Float[np.ndarray, " _"]]
) -> pd.DataFrame:
    columns = {}
    for name, level, load in zip(pathway_names(), activity.T, loadings, strict=True):
        for number, weight in enumerate(load):
            columns[f"{name} gene {number + 1}"] = weight * level + rng.normal(size=len(activity))
    return pd.DataFrame(columns)


def follow_up(
    rng: np.random.Generator, ids: Sequence[str], risk: Float[np.ndarray, " n"], *, until: float = 1.6
) -> Outcomes:
    """Draw what becomes of patients of known log hazards: Weibull's times, lost from sight evenly until some time.

    Parameters
    ----------
    rng, ids, risk
        Random numbers, who, and the log hazards.
    until
        The last time that anybody is seen, in upper quartiles of the times: of 1.6 about 60 % have an event.
    """
    time = 24 * (rng.exponential(size=len(risk)) * np.exp(-risk)) ** (1 / 1.3)
    censored = rng.uniform(0, until * np.quantile(time, 0.75), len(risk))
    return Outcomes.survival(ids, time=np.minimum(time, censored), event=time <= censored)
