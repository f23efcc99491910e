"""How far a single predicted value can be trusted: what the intervals hold, and what knowing the tissue adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.analysis.pairs import Pair
from mclstexp.evaluation.calibration import interval_widths
from mclstexp.report.page_study import Study


@dataclass(frozen=True, eq=False)
class _Blind:
    """A section answered by the mean of the other sections, whatever its tissue looks like."""

    id: str
    genes: tuple[str, ...]
    truth: Float[np.ndarray, "n_spots n_genes"]
    guess: Float[np.ndarray, "n_spots n_genes"]


def coverage_of(study: Study, pair: Pair) -> float:
    """Return the share of a section's values that its intervals hold, over genes that have one; NaN without any."""
    width = study.widths.get(pair.id)
    if width is None or not np.isfinite(width).any():
        return np.nan
    return float((np.abs(pair.truth - pair.guess) <= width)[np.isfinite(width)].mean())


def relative_width(study: Study, genes: set[str]) -> float:
    """Return how wide intervals are against those about the mean of the other sections, made the same way.

    1 says that the prediction narrows a single value by nothing. Mean over `genes` and sections; NaN without
    intervals.
    """
    if not study.widths:
        return np.nan
    sums = pd.DataFrame(
        {pair.id: pd.Series(pair.truth.sum(axis=0, dtype=np.float64), pair.genes) for pair in study.pairs}
    )
    n_spots = sums.notna() * pd.Series({pair.id: len(pair.section) for pair in study.pairs})
    blind = interval_widths([_blind(pair, sums, n_spots) for pair in study.pairs])
    ratios = []
    for pair in study.pairs:
        wide, usual = (widths[pair.id].mean(axis=0, dtype=np.float64) for widths in (study.widths, blind))
        known = np.isin(pair.genes, list(genes)) & (usual > 0) & np.isfinite(wide)
        ratios.append(wide[known] / usual[known])
    found = np.concatenate(ratios)
    return float(found.mean()) if len(found) else np.nan


def _blind(pair: Pair, sums: pd.DataFrame, n_spots: pd.DataFrame) -> _Blind:
    """Answer with each gene's mean over the other sections that have it; where none has there is no interval."""
    others, spots = sums.drop(columns=pair.id).sum(axis=1), n_spots.drop(columns=pair.id).sum(axis=1)
    guess = (others / spots.where(spots > 0)).reindex(list(pair.genes)).fillna(0.0).to_numpy(np.float32)
    return _Blind(pair.id, pair.genes, pair.truth, np.broadcast_to(guess, pair.truth.shape))
