"""How far off a predicted value is likely to be: conformal intervals from other sections' residuals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.core.errors import InputError
from mclstexp.core.pearson import Values

LEVEL: Final = 0.8
"""Share of measured values that an interval is meant to hold."""
_BINS = 4  # of predicted values, each with a width of its own
_SPOTS_PER_BIN = 50


class Answered(Protocol):
    """A section with its truth and the answer of a model that did not see it (`mclstexp.analysis.pairs.Pair`)."""

    @property
    def id(self) -> str:
        """Name of the section."""

    @property
    def genes(self) -> tuple[str, ...]:
        """Genes, in column order."""

    @property
    def truth(self) -> Values:
        """(n_spots, n_genes) measured expression."""

    @property
    def guess(self) -> Values:
        """(n_spots, n_genes) predicted expression, in the same space."""


def interval_widths(
    pairs: Sequence[Answered], *, level: float = LEVEL
) -> dict[str, Float[np.ndarray, "n_spots n_genes"]]:
    """Say how wide an interval about each predicted value must be to hold the measured one.

    Split conformal prediction (Lei et al. 2018), gene by gene: the half width is the ``level`` quantile of
    absolute error among the spots of the *other* sections whose predicted value falls into the same quarter.
    A section never calibrates itself. The promise would be exact if spots were exchangeable; between sections, and
    more so between patients, they are not, so look at what was covered (`interval_coverage`).

    Parameters
    ----------
    pairs
        Sections, measured and predicted by models that did not see them; their panels may differ.
    level
        Share of measured values that the intervals are meant to hold.

    Returns
    -------
    By section (n_spots, n_genes) float32 half widths: the interval is predicted ± width. NaN for a gene that no
    other section has.

    Raises
    ------
    InputError
        If the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        msg = f"a level between 0 and 1 expected, found {level}: 0.8 asks for intervals that hold 80 %"
        raise InputError(msg)
    columns = [{gene: i for i, gene in enumerate(pair.genes)} for pair in pairs]
    widths = {}
    for n, pair in enumerate(pairs):
        width = np.full(pair.guess.shape, np.nan, np.float32)
        for i, gene in enumerate(pair.genes):
            others = [(m, columns[m][gene]) for m in range(len(pairs)) if m != n and gene in columns[m]]
            if others:
                known = np.concatenate([pairs[m].guess[:, j] for m, j in others])
                off = np.concatenate([np.abs(pairs[m].truth[:, j] - pairs[m].guess[:, j]) for m, j in others])
                width[:, i] = _widths(pair.guess[:, i], known, off, level=level)
        widths[pair.id] = width
    return widths


def interval_coverage(pairs: Sequence[Answered], *, level: float = LEVEL) -> pd.DataFrame:
    """Measure what share of the values the intervals hold, each section against the others.

    Parameters
    ----------
    pairs, level
        As in `interval_widths`.

    Returns
    -------
    One row per gene (index "gene"): "coverage", its mean over sections (what is to be compared with `level`);
    "width", the mean half width; "coverage_SECTION" of each. NaN where there is no interval.
    """
    widths = interval_widths(pairs, level=level)
    held, wide = {}, {}
    for pair in pairs:
        width = widths[pair.id]
        inside = np.where(np.isnan(width), np.nan, np.abs(pair.truth - pair.guess) <= width)
        held[pair.id] = pd.Series(inside.mean(axis=0), index=list(pair.genes))
        wide[pair.id] = pd.Series(width.mean(axis=0, dtype=np.float64), index=list(pair.genes))
    genes = list(dict.fromkeys(gene for pair in pairs for gene in pair.genes))
    coverage = pd.DataFrame(held).reindex(genes)
    table = pd.DataFrame({"coverage": coverage.mean(axis=1), "width": pd.DataFrame(wide).reindex(genes).mean(axis=1)})
    return table.join(coverage.add_prefix("coverage_")).rename_axis("gene")


def _widths(guess: np.ndarray, known: np.ndarray, off: np.ndarray, *, level: float) -> np.ndarray:
    """Half widths at `guess` (n,) from predicted values `known` (m,) that were `off` (m,) from the truth."""
    n_bins = min(_BINS, max(1, len(known) // _SPOTS_PER_BIN))
    edges = np.unique(np.quantile(known, np.linspace(0, 1, n_bins + 1)[1:-1]))
    bin_of = np.searchsorted(edges, known, side="right")
    # a bin that ties left empty knows no better than all spots together
    of_bin = [_quantile(off[bin_of == i] if (bin_of == i).any() else off, level) for i in range(len(edges) + 1)]
    return np.array(of_bin)[np.searchsorted(edges, guess, side="right")]


def _quantile(off: np.ndarray, level: float) -> float:
    """Take the ceil((m + 1) · level)-th smallest, which allows for the spot asked about; the largest of few."""
    rank = min(math.ceil((len(off) + 1) * level), len(off)) - 1
    return float(np.partition(off, rank)[rank])
