"""Where a prediction fails: by section, by region, by spot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import spearmanr

from mclstexp.analysis.gene_ranking import MEASURED
from mclstexp.analysis.pairs import Pair
from mclstexp.core.section import UNKNOWN
from mclstexp.report.page_certainty import coverage_of, relative_width
from mclstexp.report.page_domains import DomainsOfAll, marking_genes
from mclstexp.report.page_study import Study

FEWEST: Final = 10
"""Spots a region must have: over fewer, the mean of an error is mostly chance."""
_NAMED: Final = 3  # genes named per region and direction


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors of one method; relative ones are 1 on average over all spots."""

    by_spot: dict[str, Float[np.ndarray, " n_spots"]]
    """By section, relative error of each spot: its mean over genes of |predicted - measured|, each gene's divided by
    its mean over all spots of all sections."""
    sections: pd.DataFrame
    """One row per section: "section", "patient", "n_spots", "median_counts", "mean_pcc", "above" (share of its genes
    with a positive PCC), "coverage" (share of measured values that the intervals hold), "error"."""
    regions: pd.DataFrame
    """One row per region of at least `FEWEST` spots, largest error first: "region", "where", "n_spots",
    "median_counts", "error", "marks" (genes predicted highest there against the rest of the section; of labels none),
    "too_high" and "too_low" (the genes off most there, a Series of mean differences each, beyond those of the whole
    section). Labels are taken over all sections ("where" is ""), predicted domains in each section on their own."""
    everywhere: pd.Series
    """By gene, the mean difference over all spots, largest first whatever its sign: genes of another level."""
    kind: str
    """What regions are: "label", "domain" or "" (none)."""
    relative_width: float
    """How wide intervals are against those about the mean of the other sections (see `relative_width`)."""
    with_depth: float
    """Spearman correlation over all spots of relative error and counts per spot; NaN where either is constant."""


def measure_errors(study: Study, domains: DomainsOfAll) -> Errors:
    """Measure where the prediction is off.

    Errors are of the genes that can be judged (ceiling of at least `MEASURED`), or of all where none can.
    """
    judged = judged_genes(study)
    off = [_off(pair, judged) for pair in study.pairs]
    usual = pd.concat([error.abs() for error in off]).mean()
    usual = usual[usual > 0]
    by_spot = {
        pair.id: (error.abs().reindex(columns=usual.index) / usual).mean(axis=1).to_numpy()
        for pair, error in zip(study.pairs, off, strict=True)
    }
    depth = np.concatenate([counts_of(pair) for pair in study.pairs])
    spots = np.concatenate([*by_spot.values()])
    known = np.isfinite(spots)
    varied = known.any() and np.ptp(spots[known]) > 0 and np.ptp(depth[known]) > 0
    kind, groups = _groups(study.pairs, domains)
    return Errors(
        by_spot=by_spot,
        sections=_sections(study, by_spot),
        regions=_regions(study.pairs, groups, off=off, by_spot=by_spot, everywhere=kind == "label"),
        everywhere=_everywhere(off),
        kind=kind,
        relative_width=relative_width(study, judged),
        with_depth=float(spearmanr(spots[known], depth[known]).statistic) if varied else np.nan,
    )


def judged_genes(study: Study) -> set[str]:
    """Return the genes that were measured deeply enough to be judged, or all where none was."""
    deep = study.ranking.index[study.ranking["ceiling"] >= MEASURED]
    return set(map(str, deep)) or set(map(str, study.ranking.index))


def counts_of(pair: Pair) -> Float[np.ndarray, " n_spots"]:
    """Return the counts of each spot."""
    return np.asarray(pair.section.counts.X.sum(axis=1), np.float64).ravel()


def _off(pair: Pair, genes: set[str]) -> pd.DataFrame:
    at = [place for place, gene in enumerate(pair.genes) if gene in genes]
    return pd.DataFrame((pair.guess - pair.truth)[:, at], columns=[pair.genes[place] for place in at])


def _sections(study: Study, by_spot: dict[str, np.ndarray]) -> pd.DataFrame:
    rows = []
    for pair in study.pairs:
        pcc = study.pcc_of(pair.id).dropna()
        rows.append(
            {
                "section": pair.id,
                "patient": pair.section.patient or UNKNOWN,
                "n_spots": len(pair.section),
                "median_counts": float(np.median(counts_of(pair))),
                "mean_pcc": pcc.mean(),
                "above": (pcc > 0).mean(),
                "coverage": coverage_of(study, pair),
                "error": float(np.nanmean(by_spot[pair.id])) if np.isfinite(by_spot[pair.id]).any() else np.nan,
            }
        )
    return pd.DataFrame(rows).sort_values("mean_pcc", kind="stable", ignore_index=True)


def _groups(pairs: Sequence[Pair], domains: DomainsOfAll) -> tuple[str, dict[str, pd.Series]]:
    """Return each spot's region: what a person called it where anybody did, else the predicted domain."""
    found = domains.by_section
    labelled = {name: one.labels for name, one in found.items() if one.labels is not None}
    if labelled:
        return "label", labelled
    return ("domain" if found else ""), {pair.id: found[pair.id].predicted for pair in pairs if pair.id in found}


def _regions(
    pairs: Sequence[Pair],
    groups: dict[str, pd.Series],
    *,
    off: Sequence[pd.DataFrame],
    by_spot: dict[str, np.ndarray],
    everywhere: bool,
) -> pd.DataFrame:
    """Average over the spots of each region: of one name in all sections if `everywhere`, else in each."""
    columns = ["region", "where", "n_spots", "median_counts", "error", "marks", "too_high", "too_low"]
    shown = [place for place, pair in enumerate(pairs) if pair.id in groups]
    if not shown:
        return pd.DataFrame(columns=columns)
    errors = pd.concat([off[place] - off[place].mean() for place in shown], ignore_index=True)
    spots = pd.concat([_spots(pairs[place], groups, by_spot) for place in shown], ignore_index=True)
    if everywhere:
        spots["where"] = ""
    by_id, rows = {pair.id: pair for pair in pairs}, []
    for (region, where), here in spots.groupby(["region", "where"], observed=True):
        if len(here) >= FEWEST:
            bias = errors.loc[here.index].mean().dropna()
            rows.append(
                {
                    "region": region,
                    "where": where,
                    "n_spots": len(here),
                    "median_counts": float(here["counts"].median()),
                    "error": float(here["error"].mean()),
                    "marks": [] if everywhere else _marks(by_id[str(where)], groups[str(where)] == region),
                    "too_high": bias[bias > 0].nlargest(_NAMED),
                    "too_low": bias[bias < 0].nsmallest(_NAMED),
                }
            )
    return pd.DataFrame(rows, columns=columns).sort_values("error", ascending=False, kind="stable", ignore_index=True)


def _everywhere(off: Sequence[pd.DataFrame]) -> pd.Series:
    bias = pd.concat(off, ignore_index=True).mean().dropna()
    return bias.reindex(bias.abs().sort_values(ascending=False, kind="stable").index)


def _spots(pair: Pair, groups: dict[str, pd.Series], by_spot: dict[str, np.ndarray]) -> pd.DataFrame:
    region = groups[pair.id].to_numpy()
    return pd.DataFrame({"region": region, "where": pair.id, "counts": counts_of(pair), "error": by_spot[pair.id]})


def _marks(pair: Pair, inside: pd.Series) -> list[str]:
    return marking_genes(pair.guess, inside, genes=pair.genes, most=_NAMED)
