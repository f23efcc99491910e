"""Genes in groups, standardised, as networks of pathways take them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.cohort.linear.pathways import Source
from mclstexp.core.cohort import Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.stored import stored_arrays


@dataclass(frozen=True, eq=False)
class GeneGroups:
    """Columns by group, their training mean and spread."""

    source: Source
    """Where columns are from."""
    columns: dict[str, tuple[str, ...]]
    """Of each group, in order; a gene of two groups stands in both."""
    mean: Float[np.ndarray, " n_values"]
    """Of all columns, one group after the other."""
    spread: Float[np.ndarray, " n_values"]
    """Their standard deviations; 1 where there is none."""

    @classmethod
    def fit(cls, patients: Patients, source: Source, *, name: str) -> GeneGroups:
        """Learn it from training patients; a group keeps the genes that were measured.

        Raises
        ------
        InputError
            If no group has a measured gene.
        """
        columns: dict[str, tuple[str, ...]]
        known = _frame(patients, source).dropna(axis=1, how="all").columns
        if source == "scores":
            columns = {pathway: (pathway,) for pathway in known}
        else:
            sets = {group: tuple(sorted(set(known) & set(genes))) for group, genes in patients.gene_sets.items()}
            columns = {group: genes for group, genes in sets.items() if genes}
        if not columns:
            msg = (
                f"gene sets with measured genes expected for {name}, found none among {len(patients.gene_sets)}: give "
                "sets in the genes' names, or let it read scores"
            )
            raise InputError(msg)
        empty = cls(source, columns, np.zeros(0), np.ones(0))
        values = empty._raw(patients)
        mean, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
        return cls(source, columns, mean, np.where(spread > 0, spread, 1.0))

    @property
    def sizes(self) -> list[int]:
        """How many columns each group has."""
        return [len(group) for group in self.columns.values()]

    def values(self, patients: Patients) -> Float[np.ndarray, "n_patients n_values"]:
        """Return standardised columns (float32), one group after the other; what is missing is the training mean."""
        return np.nan_to_num((self._raw(patients) - self.mean) / self.spread, nan=0.0).astype(np.float32)

    def _raw(self, patients: Patients) -> Float[np.ndarray, "n_patients n_values"]:
        names = [column for group in self.columns.values() for column in group]
        return _frame(patients, self.source).loc[:, names].to_numpy(np.float64)

    def state(self) -> State:
        """Return it as a model keeps it."""
        columns = {group: list(names) for group, names in self.columns.items()}
        arrays = {"groups.mean": self.mean, "groups.spread": self.spread}
        return State(arrays, {"groups": {"source": self.source, "columns": columns}})

    @classmethod
    def of_state(cls, state: State) -> GeneGroups:
        """Take back what `state` returned."""
        told = state.meta["groups"]
        columns = {group: tuple(names) for group, names in told["columns"].items()}
        layout = {"groups.mean": "values", "groups.spread": "values"}
        mean, spread = stored_arrays(state, layout, values=sum(map(len, columns.values())))
        return cls(told["source"], columns, mean, spread)


def _frame(patients: Patients, source: Source) -> pd.DataFrame:
    frame = patients.genes if source == "genes" else patients.pathways
    assert frame is not None, "what a model takes is shown to it"
    return frame
