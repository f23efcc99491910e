"""``task = "impute"``: methods of imputation compared on genes that are hidden from everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float
from numpy.typing import NDArray

from mclstexp.core import identity, keys
from mclstexp.core.errors import InputError
from mclstexp.core.imputer import ROOM, Imputer
from mclstexp.core.method import Method
from mclstexp.core.pairing import log_shares
from mclstexp.core.room import Room
from mclstexp.core.section import Section, as_counts
from mclstexp.evaluation.room_experiment import RoomExperiment
from mclstexp.evaluation.turn import Turn
from mclstexp.imputation.gene_folds import N_GENES, GeneFold, folds_of_genes, genes_to_score
from mclstexp.imputation.judge import SPLIT_HALF, ask_fold, mark_fold, split_half
from mclstexp.io.counts_alone import read_counts


@dataclass(frozen=True)
class HiddenGenes:
    """What is hidden and scored."""

    by: Literal["gene", "cluster"] = "gene"
    """"gene": each for itself, by chance; "cluster": with all that go along with it in the reference."""
    n_genes: int = N_GENES
    """Genes that are scored: the most variable that a tenth of the spots holds."""
    n_folds: int = 5
    """Turns in which they are hidden."""


@dataclass(frozen=True, eq=False)
class GeneTurn(Turn):
    """Genes of a section that are hidden together."""

    reference: AnnData
    """Raw counts of the cells."""
    reference_said: tuple[str, str]
    """Its name and hash."""
    fold: GeneFold
    """Which genes."""
    halves: NDArray[np.float64]
    """How well halves of the truth agree, of each scored gene."""

    @property
    def space(self) -> str:
        """Scale of the scores."""
        return "ln(1 + 10000 · counts / total of each spot, over all its genes)"

    @property
    def identity(self) -> tuple[Any, ...]:
        """What is hidden, and the reference."""
        return (list(self.fold.asked), sorted(self.fold.hidden), self.reference_said[1])

    @property
    def learnt_from(self) -> list[str]:
        """Name of the reference."""
        return [self.reference_said[0]]

    def ask(self, method: Method, *, label: str = "") -> AnnData:  # noqa: ARG002
        """Have the hidden genes imputed from the section without them."""
        assert isinstance(method, Imputer)
        said = ask_fold(method, self.fold, self.section.counts, self.reference)
        said.obs[keys.SECTION] = self.section.id
        return said

    def mark(self, said: AnnData) -> pd.DataFrame:
        """Score each gene."""
        return mark_fold(np.asarray(said.X, np.float64), self.fold, self.section.counts)

    def references(self) -> Mapping[str, pd.DataFrame]:
        """Return how well the truth agrees with itself."""
        return {SPLIT_HALF: pd.DataFrame({"gene": list(self.fold.asked), "pcc": self.halves})}


@dataclass(frozen=True)
class ImputeExperiment(RoomExperiment):
    """A comparison of methods of imputation."""

    room: ClassVar[Room[Any]] = ROOM
    controls: ClassVar[tuple[str, ...]] = ("mean", "depth")
    example: ClassVar[str] = "gene_ridge"

    reference: str = ""
    """Raw counts of single cells, or of spots of another section: .h5ad, .zarr, a 10x .h5, or .tsv."""
    hidden: HiddenGenes = field(default_factory=HiddenGenes)
    """What is hidden and scored."""

    def turns(self, sections: Sequence[Section]) -> list[Turn]:
        """Deal the genes of each section to folds."""
        if not self.reference:
            msg = 'a reference expected with task = "impute", found none: say reference = "cells.h5ad"'
            raise InputError(msg)
        reference = read_counts(self.reference, what="the reference")
        reference.X = as_counts(reference.X, where="the reference")
        named = [str(name) for name in (*reference.var_names, *reference.obs_names)]
        said = (Path(self.reference).name, identity.of("reference", reference.X, named, reference.obs.to_json()))
        return [turn for section in sections for turn in self._turns_of(section, reference, said)]

    def _turns_of(self, section: Section, reference: AnnData, said: tuple[str, str]) -> list[Turn]:
        counts, seed, hidden = section.counts, self.seed or 0, self.hidden
        if hidden.n_genes < 1:
            msg = f"n_genes in [hidden] of 1 or more expected, found {hidden.n_genes}"
            raise InputError(msg)
        genes = genes_to_score(counts, reference, n_genes=hidden.n_genes)
        halves = dict(zip(genes, split_half(counts, genes, seed=seed), strict=True))
        folds = folds_of_genes(counts, reference, genes=genes, by=hidden.by, n_folds=hidden.n_folds, seed=seed)
        return [
            GeneTurn(section, fold.name, hidden.by, reference, said, fold, np.array([halves[g] for g in fold.asked]))
            for fold in folds
        ]

    def measured(self, section: Section, said: AnnData) -> Float[np.ndarray, "n_spots n_genes"]:
        """Return the genes' share of all of a spot's counts, on the scale of what was said."""
        return log_shares(section.counts.X)[:, section.counts.var_names.get_indexer(said.var_names)].toarray()

    def join(self, answers: Sequence[AnnData]) -> AnnData:
        """Lay the genes of all turns side by side."""
        joined = ad.concat(answers, axis="var", join="inner", merge="first")
        joined.uns[keys.PROVENANCE] = answers[0].uns[keys.PROVENANCE]
        return joined


EXPERIMENT = ImputeExperiment
