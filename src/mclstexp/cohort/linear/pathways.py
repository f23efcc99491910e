"""`PathwayColumns`: a score for each pathway, as it is given, or the mean of its genes' z scores."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.cohort.linear.standard import Standard
from mclstexp.core.cohort import Part, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.stored import stored_texts

Source = Literal["scores", "genes"]
"""Scores of pathways, or expression of their genes."""
LEAST_GENES: Final = 5
"""Genes of a set that must be measured for it to have a score, or all of a smaller one."""


@dataclass(frozen=True, eq=False)
class PathwayColumns:
    """Standardised scores by name; of genes, each gene is standardised before a set's mean is taken."""

    genes: dict[str, tuple[str, ...]]
    """Measured genes of each pathway; none where scores are given."""
    each: Standard | None
    """Of all genes, one set after the other."""
    names: tuple[str, ...]
    """The pathways."""
    standard: Standard
    """Of the scores."""

    @classmethod
    def fit(cls, patients: Patients, source: Source, *, name: str) -> Self:
        """Learn them from training patients; says aloud which pathways have no score.

        Raises
        ------
        InputError
            If no pathway has one.
        """
        genes: dict[str, tuple[str, ...]] = {}
        each = None
        if source == "genes":
            known = set(_frame(patients.genes).columns)
            sets = {pathway: tuple(sorted(known & set(of))) for pathway, of in patients.gene_sets.items()}
            genes = {p: of for p, of in sets.items() if len(of) >= min(LEAST_GENES, len(set(patients.gene_sets[p])))}
            genes = {pathway: of for pathway, of in genes.items() if of}
            names, all_names = tuple(genes), list(sets)
            if genes:
                each = Standard.fit(_genes(patients, genes))
        else:
            scores = _frame(patients.pathways)
            names, all_names = tuple(scores.columns[scores.notna().any()]), list(scores.columns)
        if not names:
            msg = f"pathways with a score expected for {name}, found none among {len(all_names)}: give others"
            raise InputError(msg)
        if without := sorted(set(all_names) - set(names)):
            text = f"{len(without)} of {len(all_names)} pathways have too few genes for a score and are left out"
            warnings.warn(f"{text}: {', '.join(without[:3])}", stacklevel=3)
        empty = Standard(np.zeros(len(names)), np.zeros(len(names)))
        raw = cls(genes, each, names, empty)._raw(patients)
        return cls(genes, each, names, Standard.fit(raw))

    def values(self, patients: Patients) -> Float[np.ndarray, "n_patients n_pathways"]:
        """Return standardised scores; what is not known is the training mean."""
        return self.standard(self._raw(patients))

    def _raw(self, patients: Patients) -> Float[np.ndarray, "n_patients n_pathways"]:
        if self.each is None:
            return _frame(patients.pathways).loc[:, list(self.names)].to_numpy(np.float64)
        sizes = [len(of) for of in self.genes.values()]
        starts = np.cumsum([0, *sizes[:-1]])
        return np.add.reduceat(self.each(_genes(patients, self.genes)), starts, axis=1) / sizes

    def state(self) -> State:
        """Return them as a model keeps them."""
        kept = State({}, {"pathways": list(self.names), "genes": {p: list(of) for p, of in self.genes.items()}})
        kept = kept.joined(self.standard.state("pathways"))
        return kept if self.each is None else kept.joined(self.each.state("genes"))

    @classmethod
    def of_state(cls, state: State, *, among: Sequence[str]) -> Self:
        """Take back what `state` returned, of columns that the model knows."""
        names = stored_texts(state, "pathways")
        genes = {pathway: tuple(of) for pathway, of in state.meta["genes"].items()}
        read = {gene for of in genes.values() for gene in of} if genes else set(names)
        if not read <= set(among) or (genes and (tuple(genes) != names or not all(genes.values()))):
            msg = f"pathways of a saved model's {len(among)} columns expected, found others: copy the model again"
            raise InputError(msg)
        each = Standard.of_state(state, "genes", columns=sum(map(len, genes.values()))) if genes else None
        return cls(genes, each, names, Standard.of_state(state, "pathways", columns=len(names)))


def part_of(source: Source) -> Part:
    """Return what of patients is looked at."""
    return "genes" if source == "genes" else "pathways"


def _genes(patients: Patients, genes: dict[str, tuple[str, ...]]) -> Float[np.ndarray, "n_patients n_values"]:
    return _frame(patients.genes).loc[:, [gene for of in genes.values() for gene in of]].to_numpy(np.float64)


def _frame(frame: pd.DataFrame | None) -> pd.DataFrame:
    assert frame is not None, "what a model takes is shown to it"
    return frame
