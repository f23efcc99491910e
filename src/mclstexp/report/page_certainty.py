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
    """A section answered by the mean of the sections that teach it, whatever its tissue looks like."""

    id: str
    patient: str | None
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
    """Return how wide intervals are against those about the mean of the sections that taught, made the same way.

    1 says that the prediction narrows a single value by nothing. Mean over `genes` and sections; NaN without
    intervals.
    """
    if not study.widths:
        return np.nan
    sums = pd.DataFrame(
        {pair.id: pd.Series(pair.truth.sum(axis=0, dtype=np.float64), pair.genes) for pair in study.pairs}
    )
    n_spots = sums.notna() * pd.Series({pair.id: len(pair.section) for pair in study.pairs})
    blind = interval_widths([_blind(pair, study, sums, n_spots) for pair in study.pairs])
    ratios = []
    for pair in study.pairs:
        wide, usual = (widths[pair.id].mean(axis=0, dtype=np.float64) for widths in (study.widths, blind))
        known = np.isin(pair.genes, list(genes)) & (usual > 0) & np.isfinite(wide)
        ratios.append(wide[known] / usual[known])
    found = np.concatenate(ratios)
    return float(found.mean()) if len(found) else np.nan


def meant_for(study: Study) -> list[str]:
    """Say for whom the intervals hold: on whose sections they were learnt."""
    scopes = {found.scope for found in study.teachers.values()}
    said = []
    if "this individual" in scopes:
        said.append(
            "They were learnt on other sections of the same individual, for there is no other: they are for this "
            "individual, and hold less of another's values."
        )
    if "these sections" in scopes:
        said.append(
            "Nobody said whom some sections came from: the intervals of these are for these sections, not for a new "
            "individual."
        )
    if "a new individual" in scopes:
        others = min(len(found.units) for found in study.teachers.values() if found.scope == "a new individual")
        one = ": on one, which cannot show how individuals differ as a whole, so they may hold less of the next"
        said.append(f"Their widths were learnt on other individuals alone{one if others == 1 else ''}.")
        if study.summary.attrs["by"] == "section":
            said.append(
                "The model had seen other sections of the tested individuals: of one it has seen nothing of they hold "
                "less."
            )
    return said


def _blind(pair: Pair, study: Study, sums: pd.DataFrame, n_spots: pd.DataFrame) -> _Blind:
    """Answer with each gene's mean over the sections that teach and have it; where none has there is no interval."""
    taught = [study.pairs[m].id for unit in study.teachers[pair.id].units.values() for m in unit]
    others, spots = sums[taught].sum(axis=1), n_spots[taught].sum(axis=1)
    guess = (others / spots.where(spots > 0)).reindex(list(pair.genes)).fillna(0.0).to_numpy(np.float32)
    return _Blind(pair.id, pair.patient, pair.genes, pair.truth, np.broadcast_to(guess, pair.truth.shape))
