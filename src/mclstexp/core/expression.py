"""`ExpressionSpace`: which genes, on which scale. Numbers compare only within equal spaces."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.imputed import all_counts
from mclstexp.core.names import meant
from mclstexp.core.panel import select_hvg
from mclstexp.core.residuals import THETA, expected_shares, pearson_residuals
from mclstexp.core.section import Section, check_sections

GeneRule = Callable[[Sequence[Section]], Sequence[str]]
"""Chooses a gene panel from training sections."""
Scale = Literal["log", "residual"]


@dataclass(frozen=True)
class ExpressionSpace:
    """A gene panel and the way counts become expression.

    "log" is log(1 + target_sum · counts / total). "residual" are Pearson residuals of a negative binomial (see
    `mclstexp.core.residuals`): what a spot's total and a gene's share in training do not explain. Its numbers are of
    either sign, 0 is "as many as expected", and depth, and with it the density of cells, hardly moves them.

    Raises
    ------
    InputError
        If the panel is empty or names a gene twice, a number is not positive, or residuals lack shares or clip.
    """

    genes: tuple[str, ...]
    """The panel, in channel order."""
    target_sum: float = 1e4
    """Every spot's (or gene's) counts are scaled to this total before the logarithm."""
    log_base: float = 10.0
    """Base of the logarithm of 1 + scaled counts."""
    axis: Literal["spot", "gene"] = "spot"
    """What is scaled to the target: each spot over the panel, or (as published) each gene over the section."""
    scale: Scale = "log"
    """"log", or "residual"; then target sum and log base are not looked at."""
    theta: float = THETA
    """Overdispersion that residuals are taken under."""
    shares: tuple[float, ...] = ()
    """Each gene's share of the panel's counts in training, for residuals."""
    clip: float = 0.0
    """Residuals beyond ± this are cut to it: the root of the spots of a training section (Lause and others), of the
    mean one where there are several. Not of the asked section: a spot's truth may not depend on which are beside it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "genes", tuple(map(str, self.genes)))
        if not self.genes:
            msg = "a gene panel of at least one gene expected, found none"
            raise InputError(msg)
        if len(set(self.genes)) != len(self.genes):
            twice = next(g for g in self.genes if self.genes.count(g) > 1)
            msg = f"a gene panel must name each gene once, found {twice!r} twice"
            raise InputError(msg)
        if not (self.target_sum > 0 and self.log_base > 0 and self.log_base != 1):
            msg = f"target_sum and log_base must be positive, found {self.target_sum} and {self.log_base}"
            raise InputError(msg)
        if self.axis not in ("spot", "gene"):
            msg = f"axis must be 'spot' or 'gene', found {self.axis!r}"
            raise InputError(msg)
        object.__setattr__(self, "shares", tuple(map(float, self.shares)))
        self._check_scale()

    def _check_scale(self) -> None:
        if self.scale not in ("log", "residual"):
            msg = f"scale must be 'log' or 'residual', found {self.scale!r}"
            raise InputError(msg)
        if not 0 < self.theta < math.inf:
            msg = f"theta must be positive and finite, found {self.theta}: {THETA:g} is usual"
            raise InputError(msg)
        if self.scale == "log":
            return
        if self.axis != "spot":
            msg = "axis = 'spot' expected with scale = 'residual', found 'gene': residuals are of each spot's total"
            raise InputError(msg)
        if len(self.shares) != len(self.genes) or not all(0 < share < math.inf for share in self.shares):
            msg = (
                f"a positive share of each of {len(self.genes)} genes expected with scale = 'residual', found "
                f"{sum(0 < share < math.inf for share in self.shares)}: learn the space (ExpressionSpace.fit)"
            )
            raise InputError(msg)
        if not self.clip > 0:
            msg = f"a positive clip expected with scale = 'residual', found {self.clip}: learn the space"
            raise InputError(msg)

    @classmethod
    def fit(
        cls,
        sections: Sequence[Section],
        *,
        genes: Sequence[str] | GeneRule = select_hvg,
        target_sum: float = 1e4,
        log_base: float = 10.0,
        axis: Literal["spot", "gene"] = "spot",
        scale: Scale = "log",
        theta: float = THETA,
    ) -> Self:
        """Learn a space from training sections.

        Parameters
        ----------
        sections
            Training sections only: whatever is chosen here is chosen without the held-out ones.
        genes
            A list of names, or a rule that chooses one from the sections.
        target_sum, log_base, axis, scale, theta
            See the fields. For residuals, shares and clip are learnt from the sections.

        Raises
        ------
        InputError
            If a named gene is missing from a section, or the panel is a single gene that each spot is scaled to.
        """
        sections = check_sections(sections)
        panel = tuple(genes(sections)) if callable(genes) else tuple(genes)
        space = cls(genes=panel, target_sum=target_sum, log_base=log_base, axis=axis, theta=theta)
        for section in sections:
            space.panel(section.counts[:0])
        if len(panel) == 1 and axis == "spot":
            msg = (
                f"a panel of two or more genes expected, found {panel[0]!r} alone: a spot is scaled to its counts of "
                "the panel, of which one gene has all everywhere: add genes, those that vary most at best"
            )
            raise InputError(msg)
        return space.on_residuals(sections) if scale == "residual" else replace(space, scale=scale)

    def on_residuals(self, sections: Sequence[Section]) -> Self:
        """Return the scale of Pearson residuals for the same panel, learnt from training sections.

        Raises
        ------
        InputError
            If a gene of the panel is missing from a section.
        """
        sections = check_sections(sections)
        shares = expected_shares(self.panel(section.counts) for section in sections)
        clip = math.sqrt(sum(len(section) for section in sections) / len(sections))
        return replace(self, scale="residual", shares=tuple(shares.tolist()), clip=clip)

    def joined(self, genes: Sequence[str], sections: Sequence[Section]) -> Self:
        """Return the same scale for the panel and more genes, those it has not; learnt anew where it is of residuals.

        Raises
        ------
        InputError
            If a section neither measured a gene nor has it imputed.
        """
        more = [gene for gene in genes if gene not in set(self.genes)]
        if not more:
            return self
        space = replace(self.on_log(), genes=(*self.genes, *more))
        return space.on_residuals(sections) if self.scale == "residual" else space

    def require_log(self, what: str) -> None:
        """Refuse `what`, which was made for the log scale, on another.

        Raises
        ------
        InputError
            If this is another.
        """
        if self.scale != "log":
            msg = f"scale = 'log' expected for {what}, found {self.scale!r}: use that scale, or leave it out"
            raise InputError(msg)

    def on_log(self) -> Self:
        """Return the log scale for the same panel."""
        return replace(self, scale="log", shares=(), clip=0.0)

    @classmethod
    def of_prediction(cls, predicted: AnnData) -> Self:
        """Read the space of a prediction off it: all of its genes, or those that were kept of them.

        Raises
        ------
        InputError
            If it does not say what it needs.
        """
        shares = predicted.var.get(keys.SHARE, ())
        said = predicted.uns[keys.PROVENANCE]["space"]
        return cls(**{**said, "genes": tuple(predicted.var_names), "shares": tuple(shares)})

    @classmethod
    def of_record(cls, said: Mapping[str, Any]) -> Self:
        """Return the scale that a prediction's record names, with a gene that stands for any."""
        return cls(**{**said, "genes": ("any",), "shares": (1.0,) if said.get("scale") == "residual" else ()})

    def __call__(self, counts: AnnData) -> Float[np.ndarray, "n_spots n_genes"]:
        """Turn raw counts into expression.

        Parameters
        ----------
        counts
            Raw counts of one section (a `Section.counts`). With ``axis="gene"`` its spots set the scale.

        Returns
        -------
        (n_spots, n_genes) float32 in panel order; a spot (with axis "gene", a gene) without counts is all zeros.

        Raises
        ------
        InputError
            If a gene of the panel was not measured.
        """
        panel = self.panel(counts)
        if self.scale == "residual":
            return pearson_residuals(panel, shares=np.array(self.shares), theta=self.theta, clip=self.clip)
        totals = np.asarray(panel.sum(axis=1 if self.axis == "spot" else 0), np.float64).ravel()
        of_value = np.repeat(totals, np.diff(panel.indptr)) if self.axis == "spot" else totals[panel.indices]
        share = np.divide(panel.data, of_value, out=np.zeros(panel.nnz), where=of_value > 0)
        # nothing counted is nothing on this scale, so that only what was counted is computed
        panel.data = (np.log1p(self.target_sum * share) / math.log(self.log_base)).astype(np.float32)
        return panel.toarray()

    def panel(self, counts: AnnData) -> sparse.csr_matrix:
        """Return the panel's raw counts as a sparse float64 matrix of its own (n_spots, n_genes), indices sorted.

        Of imputed genes (`core.imputed`) they are the counts to expect, which are no whole numbers.

        Raises
        ------
        InputError
            If a gene of the panel was not measured.
        """
        matrix, names = all_counts(counts)
        panel = sparse.csr_matrix(matrix[:, _columns(self.genes, names)], dtype=np.float64, copy=True)
        panel.sort_indices()
        return panel

    def counts(self, counts: AnnData) -> Float[np.ndarray, "n_spots n_genes"]:
        """Return the panel's raw counts as a dense float64 array (n_spots, n_genes)."""
        return self.panel(counts).toarray()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return {**asdict(self), "genes": list(self.genes), "shares": list(self.shares)}

    def record(self) -> dict[str, Any]:
        """Return what a prediction's `uns` says of its scale; what is known of each gene is in `var`."""
        return {name: value for name, value in self.to_dict().items() if name not in ("genes", "shares")}

    def var(self) -> pd.DataFrame:
        """Return what a prediction's `var` says of each gene: its name and, for residuals, its share."""
        columns = {keys.SHARE: np.array(self.shares)} if self.scale == "residual" else {}
        return pd.DataFrame(columns, index=pd.Index(list(self.genes), dtype=object))

    def __str__(self) -> str:
        """Say the scale in a line."""
        if self.scale == "residual":
            return f"Pearson residuals of counts (negative binomial, theta {self.theta:g})"
        return f"log{self.log_base:g}(1 + {self.target_sum:g} · counts / total of each {self.axis})"


def require_finite(expression: NDArray[np.float32], *, name: str) -> None:
    """Refuse a prediction of the method `name` that is none.

    Raises
    ------
    InputError
        If a number is not finite.
    """
    n_wrong = int((~np.isfinite(expression)).sum())
    if n_wrong:
        msg = (
            f"numbers expected as the prediction of {name}, found {n_wrong} of {expression.size} not finite: its "
            "weights went astray; fit it again, at a lower rate of learning where it has one, or copy its folder again"
        )
        raise InputError(msg)


def _columns(genes: Sequence[str], names: pd.Index) -> NDArray[np.intp]:
    index = names.get_indexer(pd.Index(list(genes), dtype=object))
    missing = [gene for gene, i in zip(genes, index, strict=True) if i < 0]
    if missing:
        msg = (
            f"every gene of the panel must be measured, found {len(missing)} of {len(genes)} missing "
            f"({', '.join(missing[:3])}{', …' if len(missing) > 3 else ''}): {meant(missing, names)}"
        )
        raise InputError(msg)
    return index
