"""One row per method: averages over patients, how sure they are, and what a reader must know beside them."""

from __future__ import annotations

from textwrap import shorten
from typing import Final

import numpy as np
import pandas as pd

from mclstexp.evaluation.resampling import bootstrap_interval, smallest_p
from mclstexp.evaluation.score_table import (
    CEILING_METRIC,
    RUN,
    Over,
    beside_ceiling,
    comparable,
    gene_set_names,
    unit_means,
)

TRANSDUCTIVE: Final = "†"
"""Mark of methods that looked at all of a tested section at once."""
FAILED: Final = "‡"
"""Mark of methods that failed in a fold, and are averaged over fewer sections than others."""
_FEW: Final = 5
_REASONS: Final = 300  # letters; the table of scores has them all


def summarise(scores: pd.DataFrame, *, over: Over = "patient", n_boot: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Average scores into one row per method.

    Genes are averaged within a section, sections within a patient, then patients, so that a patient of six sections
    weighs no more than one of three. A gene without a score (NaN: its truth is constant) is left out and counted;
    only under the protocol "paper" does it make the mean of the highly expressed genes ("heg…") NaN, as published.

    Parameters
    ----------
    scores
        A table of `evaluate`.
    over
        What counts once in the last average; "section" skips the averaging within patients.
    n_boot
        Draws of the bootstrap.
    seed
        Of the bootstrap.

    Returns
    -------
    Indexed by method, best PCC first, references last:

    - "pcc" and "pcc_<gene set>", each with "…_sd" (standard deviation over patients) and "…_low", "…_high" (95 %
      percentile bootstrap over patients, NaN with fewer than two). With `over` "section", over sections.
    - "ceiling_share" and "ceiling_share_<gene set>": mean PCC over mean noise ceiling, both over those genes of those
      sections whose ceiling is above 0, averaged as above. A ratio of means, for single ceilings near 0 would rule a
      mean of ratios. NaN where no ceiling was computed.
    - the means of all other metrics, under their names;
    - "kind", "transductive", "n_constant" (genes of sections without a PCC), "n_patients", "n_sections", "n_folds",
      "n_failed" (folds), "failed" (those folds and reasons, "" if none), "seconds" (sum over folds), "peak_mib"
      (largest of the folds).

    The row of the noise ceiling has its mean in "pcc": the PCC of a perfect predictor. ``attrs`` says "by", "over",
    "protocol", "n_patients", "n_sections", "n_folds" and "gene_sets".

    Raises
    ------
    InputError
        If rows may not be compared: different protocols, spaces, ways of holding out, or panels within a fold.
    """
    scores = comparable(scores)
    sets, protocol = gene_set_names(scores), str(scores["protocol"].iloc[0])
    pcc = scores[scores["metric"].isin(("pcc", CEILING_METRIC))]
    table = pd.DataFrame(index=pd.Index(scores["method"].unique().astype(str), name="method"))
    for name in (None, *sets):
        rows = pcc if name is None else pcc[pcc[name].astype(bool)]
        column = "pcc" if name is None else f"pcc_{name}"
        units = _units(rows, over=over, keep_nan=protocol == "paper" and (name or "").startswith("heg"))
        _with_spread(table, units, column=column, n_boot=n_boot, seed=seed)
        table[column.replace("pcc", "ceiling_share")] = _ceiling_share(rows, over=over)
    others = scores[~scores["metric"].isin(("pcc", CEILING_METRIC, *RUN))]
    means = unit_means(others, over=over, per=("metric", "method")).groupby(["metric", "method"], observed=True).mean()
    for metric in others["metric"].unique():
        table[str(metric)] = means.loc[metric]
    _with_numbers(table, scores, pcc)
    table.attrs = {
        "by": str(scores["by"].iloc[0]),
        "over": over,
        "protocol": protocol,
        "gene_sets": sets,
        "n_patients": pcc["patient"].nunique(),
        "n_sections": len(pcc[["patient", "section"]].drop_duplicates()),
        "n_folds": scores["fold"].nunique(),
    }
    return table.iloc[np.lexsort((-table["pcc"], table["kind"] == "reference"))]


def _units(rows: pd.DataFrame, *, over: Over, keep_nan: bool) -> pd.Series:
    units = unit_means(rows, over=over, keep_nan=keep_nan)
    if keep_nan:  # as NumPy's mean over folds would
        units = units.where(~units.isna().groupby("method", observed=True).transform("any"))
    return units


def _with_spread(table: pd.DataFrame, units: pd.Series, *, column: str, n_boot: int, seed: int) -> None:
    by_method = units.groupby("method", observed=True)
    table[column] = by_method.mean()
    table[f"{column}_sd"] = by_method.std()
    ends = pd.DataFrame(
        {
            str(method): bootstrap_interval(values.to_numpy(np.float64), n_boot=n_boot, seed=seed)
            for method, values in by_method
        },
        index=[f"{column}_low", f"{column}_high"],
        dtype=np.float64,
    )
    table[list(ends.index)] = ends.T


def _ceiling_share(rows: pd.DataFrame, *, over: Over) -> pd.Series:
    both = beside_ceiling(rows)
    both = both[both["value_ceiling"] > 0]
    reached, reachable = (
        unit_means(both, over=over, value=value).groupby("method", observed=True).mean()
        for value in ("value", "value_ceiling")
    )
    return reached / reachable


def _with_numbers(table: pd.DataFrame, scores: pd.DataFrame, pcc: pd.DataFrame) -> None:
    by_method = scores.groupby("method", observed=True)
    table["kind"] = by_method["kind"].first().astype(str)
    table["transductive"] = by_method["transductive"].any()
    table["n_constant"] = pcc["value"].isna().groupby(pcc["method"], observed=True).sum()
    for name in ("patient", "section", "fold"):
        table[f"n_{name}s"] = pcc.groupby("method", observed=True)[name].nunique()
    bad = scores[scores["metric"] == "failed"]
    table["n_failed"] = bad.groupby("method", observed=True).size()
    counts = [column for column in table.columns if column.startswith("n_")]
    table[counts] = table[counts].fillna(0).astype(int)
    reasons = bad["fold"].astype(str) + ": " + bad["reason"].astype(str)
    table["failed"] = reasons.groupby(bad["method"].astype(str)).agg("; ".join)
    table["failed"] = table["failed"].fillna("").astype(object)
    for name in ("seconds", "peak_mib"):
        spent = scores[scores["metric"] == name].groupby("method", observed=True)["value"]
        table[name] = spent.sum(min_count=1) if name == "seconds" else spent.max()


def headline(summary: pd.DataFrame) -> list[str]:
    """Say in sentences what a reader must know beside the numbers, the number of patients first.

    Parameters
    ----------
    summary
        Of `summarise`.
    """
    said = summary.attrs
    over = said["over"]
    sure = f", with 95 % intervals from drawing {over}s anew" if summary["pcc_low"].notna().any() else ""
    return [
        f"{_count(said['n_patients'], 'patient')}, {_count(said['n_sections'], 'section')}; held out by {said['by']}.",
        f"Means over {over}s{sure}.",
        *_on_patients(said["n_patients"], over=over),
        *_on_folds(said),
        *_on_methods(summary),
    ]


def _on_patients(n: int, *, over: Over) -> list[str]:
    if n == 1:
        return [
            "Only 1 patient: intervals over patients cannot be given; sections of one patient resemble each other, "
            "so what holds for them may not hold for the next patient."
        ]
    sentences = []
    if over == "section":
        sentences.append(
            "Sections of one patient resemble each other: intervals over sections are too narrow for a claim about "
            "patients."
        )
    if 1 < n < _FEW:
        sentences.append(
            f"Only {n} patients: intervals over so few are too narrow, and no paired test of them can find a p value "
            f"below {smallest_p(n):.2g}."
        )
    return sentences


def _on_folds(said: dict) -> list[str]:
    sentences = []
    if said["by"] == "section":
        sentences.append(
            "Held out by section: other sections of the tested patient may have been learnt from, so scores are "
            "higher than a new patient's would be."
        )
    if said["protocol"] == "paper":
        sentences.append(
            'Protocol "paper": panel, scale and top genes are taken from the tested sections, as in the published '
            "evaluation; compare with published numbers, not with strict ones."
        )
    return sentences


def _on_methods(summary: pd.DataFrame) -> list[str]:
    sentences = []
    judged = summary[summary["kind"] != "reference"]
    seen = judged.index[judged["transductive"].astype(bool)]
    if len(seen):
        who = "all methods" if len(seen) == len(judged) else ", ".join(seen)
        sentences.append(
            f"{TRANSDUCTIVE} Transductive, with a step that looked at all of a tested section at once: {who}."
        )
    for method, row in judged[judged["n_failed"] > 0].iterrows():
        folds = f"{row['n_failed']} of {_count(summary.attrs['n_folds'], 'fold')}"
        reasons = shorten(row["failed"], _REASONS, placeholder=" …").rstrip(".")
        sentences.append(f"{FAILED} {method} failed in {folds} and is averaged over the others, if any: {reasons}.")
    return sentences


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
