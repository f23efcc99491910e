"""``task = "enhance"``: methods of enhancement compared on spots that are hidden from everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.enhancer import DETECTED, ROOM, Enhancer
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.measured import has_counts
from mclstexp.core.method import Method
from mclstexp.core.room import Room
from mclstexp.core.section import Section
from mclstexp.enhancement.hidden import ask_hidden, hidden_spots, require_enough
from mclstexp.evaluation.ceiling import log_depth
from mclstexp.evaluation.exam import ORACLE
from mclstexp.evaluation.metrics import pcc, pcc_depth, spearman
from mclstexp.evaluation.room_experiment import RoomExperiment
from mclstexp.evaluation.turn import Turn

N_GENES: Final = 600
_SAID: Final = {"between": "row and column", "random": "spot", "areas": "area"}
"""What is held out, in the words of a headline."""


@dataclass(frozen=True)
class HiddenSpots:
    """What is hidden and scored."""

    by: Literal["between", "random", "areas"] = "between"
    """"between": three of four spots, all but every second row and column, as published for enhancement; "random": a
    quarter, drawn; "areas": squares of five by five spots."""
    n_genes: int = N_GENES
    """Genes that are scored, drawn among those that a tenth of the spots have counts of."""
    turns: int = 4
    """How many of the four turns are taken."""


@dataclass(frozen=True, eq=False)
class SpotTurn(Turn):
    """Spots of a section that are hidden together."""

    hidden: Bool[np.ndarray, " n_spots"]
    """Which."""
    scale: ExpressionSpace
    """The genes that are scored, and their scale."""

    @property
    def space(self) -> str:
        """Scale of the scores."""
        return str(self.scale)

    @property
    def identity(self) -> tuple[Any, ...]:
        """What is hidden, and which genes are asked for."""
        return (self.hidden, list(self.scale.genes))

    @property
    def asked(self) -> Section:
        """The hidden spots that hold counts of the genes."""
        return self.section.take(self.hidden & has_counts(self.section, space=self.scale))

    def ask(self, method: Method, *, label: str = "") -> AnnData:  # noqa: ARG002
        """Have the expression at hidden spots told from the others."""
        assert isinstance(method, Enhancer)
        asked = self.asked.tiles
        return ask_hidden(method, self.section.take(~self.hidden), asked, genes=self.scale.genes)

    def mark(self, said: AnnData) -> pd.DataFrame:
        """Score each gene over the hidden spots."""
        return self._marked(np.asarray(said.X, np.float64), ("pcc", "pcc_depth", "spearman"))

    def references(self) -> Mapping[str, pd.DataFrame]:
        """Return what the depth of the hidden spots would score, which no method can know."""
        depth = np.repeat(log_depth(self.asked.counts)[:, None], len(self.scale.genes), axis=1)
        return {ORACLE: self._marked(depth, ("pcc", "pcc_depth"))}

    def _marked(self, said: np.ndarray, metrics: Sequence[str]) -> pd.DataFrame:
        counts = self.asked.counts
        truth, depth = self.scale(counts), np.asarray(counts.X.sum(axis=1), np.float64).ravel()
        scores = {
            "pcc": lambda: pcc(truth, said),
            "pcc_depth": lambda: pcc_depth(truth, said, depth=depth),
            "spearman": lambda: spearman(truth, said),
        }
        return pd.DataFrame({"gene": list(self.scale.genes), **{name: scores[name]() for name in metrics}})


@dataclass(frozen=True)
class EnhanceExperiment(RoomExperiment):
    """A comparison of methods of enhancement."""

    room: ClassVar[Room[Any]] = ROOM
    controls: ClassVar[tuple[str, ...]] = ("mean", "nearest", "linear", "common_map")
    example: ClassVar[str] = "kriging"

    hidden: HiddenSpots = field(default_factory=HiddenSpots)
    """What is hidden and scored."""

    def turns(self, sections: Sequence[Section]) -> list[Turn]:
        """Hide spots of each section in turn."""
        for name, value in (("n_genes", self.hidden.n_genes), ("turns", self.hidden.turns)):
            if value < 1:
                msg = f"{name} in [hidden] of 1 or more expected, found {value}"
                raise InputError(msg)
        return [turn for section in sections for turn in self._turns_of(section)]

    def _turns_of(self, section: Section) -> list[Turn]:
        seed, hidden = self.seed or 0, self.hidden
        often = np.flatnonzero(np.diff(section.counts.X.tocsc().indptr) > DETECTED * len(section))
        if len(often) == 0:
            msg = f"section {section.id}: genes counted in {DETECTED:.0%} of the spots expected, found none"
            raise InputError(msg)
        drawn = np.sort(np.random.default_rng(seed).permutation(often)[: hidden.n_genes])
        scale = ExpressionSpace(tuple(map(str, section.counts.var_names[drawn])))
        masks = hidden_spots(section, hide=hidden.by, seed=seed)[: hidden.turns]
        for mask in masks:
            require_enough(section, mask)
        said = _SAID[hidden.by]
        return [SpotTurn(section, f"turn {n + 1}", said, mask, scale) for n, mask in enumerate(masks)]

    def join(self, answers: Sequence[AnnData]) -> AnnData:
        """Lay the spots of all turns together; one that was hidden in several has the mean of its answers."""
        names = pd.Index(np.concatenate([answer.obs_names for answer in answers]))
        codes, order = pd.factorize(names)
        first = ~names.duplicated()
        obs = pd.concat([answer.obs for answer in answers])[first]
        joined = ad.AnnData(obs=obs, var=answers[0].var.copy(), uns={keys.PROVENANCE: answers[0].uns[keys.PROVENANCE]})
        places = np.concatenate([answer.obsm[keys.SPATIAL] for answer in answers])[first]
        joined.obsm[keys.SPATIAL] = places
        mean = sparse.csr_matrix((1 / np.bincount(codes)[codes], (codes, np.arange(len(names)))))
        joined.X = (mean @ np.concatenate([np.asarray(answer.X) for answer in answers])).astype(np.float32)
        assert list(joined.obs_names) == list(order)
        return joined


EXPERIMENT = EnhanceExperiment
