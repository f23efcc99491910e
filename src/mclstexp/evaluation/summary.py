"""One row per method: averages over patients, how sure they are, and what a reader must know beside them."""

from __future__ import annotations

import itertools
from textwrap import shorten
from typing import Final

import numpy as np
import pandas as pd

from mclstexp.evaluation.explained import say_explained
from mclstexp.evaluation.resampling import cannot_tell, mean_interval
from mclstexp.evaluation.score_table import (
    CEILING_METRIC,
    CEILINGS,
    MAIN,
    RELIABILITIES,
    RUN,
    Over,
    averaged,
    beside_ceiling,
    comparable,
    gene_set_names,
    independent,
    main_metric,
    unit_means,
    unknown_patients,
    usual_over,
)

TRANSDUCTIVE: Final = "†"
"""Mark of methods that looked at all of a tested section at once."""
TUNED: Final = "§"
"""Mark of methods whose defaults were chosen by scores on these very data; they are never bold."""
FAILED: Final = "‡"
"""Mark of methods that failed in a fold, and are averaged over fewer sections than others."""
_MEASURED: Final = 0.05
"""Mean ceiling below which a share of it would be one of noise."""
_REASONS: Final = 300  # letters; the table of scores has them all


def summarise(scores: pd.DataFrame, *, over: Over | None = None) -> pd.DataFrame:
    """Average scores into one row per method.

    Genes are averaged within a section, sections within a patient, then patients, so that a patient of six sections
    weighs no more than one of three. A gene without a score (NaN: its truth is constant) is left out and counted;
    only under the protocol "paper" does it make the mean of the highly expressed genes ("heg…") NaN, as published.

    Parameters
    ----------
    scores
        A table of `evaluate`.
    over
        What counts once in the last average; "section" skips the averaging within patients. By default patients, or
        sections where fewer than two patients are known. Where several are, sections of unknown ones are in no mean.

    Returns
    -------
    Indexed by method, best PCC first (of domains, best adjusted Rand index, "ari" in the place of "pcc"), references
    last:

    - "pcc" and "pcc_<gene set>", each with "…_sd" (standard deviation over patients; with `over` "section", over
      sections) and "…_low", "…_high" (95 % t interval over patients within -1 and 1, NaN with fewer than two; over
      sections only where those of one patient, or of unknown ones, are averaged).
    - "pcc_depth", "pcc_residual" and "pcc_depth_<gene set>", "pcc_residual_<gene set>": the same, with spread and
      intervals, of the correlation given depth and of that with residuals.
    - "ceiling_share", "ceiling_share_<gene set>" and so on, "ceiling_share_depth…" and "ceiling_share_residual…": mean
      correlation over its own mean noise ceiling, both over the genes of sections that have one, chosen by no estimate.
      A ratio of means, for single ceilings near 0 would rule a mean of ratios. NaN where none was computed, or the mean
      ceiling is below 0.05: nothing was measured that could be shared.
    - the means of all other metrics, under their names;
    - "kind", "transductive", "tuned" (defaults chosen on these data), "sees" (what of a place, in words),
      "n_constant" (genes of sections without a PCC), "n_patients", "n_sections", "n_folds", "n_failed" (folds),
      "failed" (those folds and reasons, "" if none),
      "seconds" (sum over folds), "peak_mib" (largest of the folds).

    The row of the noise ceiling has the mean ceilings in the columns of the correlations: what a perfect predictor
    would score, of all sections together, hence without spread; 0 where the mean is below. ``attrs`` says "metric"
    (what methods are ordered by, if not the PCC), "by", "over", "units" (what intervals are over), "protocol",
    "n_patients" (those known), "n_unknown" (sections whose patient is not), "n_sections" (those averaged),
    "n_folds" and "gene_sets".

    Raises
    ------
    InputError
        If rows may not be compared: different protocols, spaces, ways of holding out, or panels within a fold; or
        means over patients are wanted and fewer than two are known.
    """
    scores = comparable(scores)
    over = usual_over(scores) if over is None else over
    between, n_unknown = independent(scores, over=over), unknown_patients(scores)
    scores = averaged(scores)
    sets, protocol, main = gene_set_names(scores), str(scores["protocol"].iloc[0]), main_metric(scores)
    pcc, ceilings = scores[scores["metric"].isin((main, CEILING_METRIC))], list(CEILINGS.values())
    table = pd.DataFrame(index=pd.Index(scores["method"].unique().astype(str), name="method"))
    for name in (None, *sets):
        rows = pcc if name is None else pcc[pcc[name].astype(bool)]
        column = main if name is None else f"{main}_{name}"
        units = _units(rows, over=over, keep_nan=protocol == "paper" and (name or "").startswith("heg"))
        _with_spread(table, units, column=column, between=between)
        if main in CEILINGS:
            table[column.replace(main, "ceiling_share")] = _ceiling_share(rows, over=over)
    for metric, name in itertools.product(("pcc_depth", "pcc_residual"), (None, *sets)):
        rows = scores[scores["metric"].isin((metric, CEILINGS[metric]))]
        rows = rows if name is None else rows[rows[name].astype(bool)]
        column = metric if name is None else f"{metric}_{name}"
        _with_spread(table, _units(rows, over=over, keep_nan=False), column=column, between=between)
        table[column.replace("pcc", "ceiling_share")] = _ceiling_share(rows, over=over, metric=metric)
    _settle_ceilings(table, scores[scores["metric"].isin(ceilings)])
    others = scores[~scores["metric"].isin((main, *CEILINGS, *ceilings, *RELIABILITIES, *RUN))]
    means = unit_means(others, over=over, per=("metric", "method")).groupby(["metric", "method"], observed=True).mean()
    for metric in others["metric"].unique():
        table[str(metric)] = means.loc[metric]
    _with_numbers(table, scores, pcc)
    table.attrs = {
        **({} if main == MAIN[0] else {"metric": main}),
        "by": str(scores["by"].iloc[0]),
        "over": over,
        "units": between,
        "protocol": protocol,
        "gene_sets": sets,
        "n_patients": _known(pcc["patient"]).nunique(),
        "n_unknown": n_unknown,
        "n_sections": len(pcc[["patient", "section"]].drop_duplicates()),
        "n_folds": scores["fold"].nunique(),
    }
    return table.iloc[np.lexsort((-table[main], table["kind"] == "reference"))]


def _known(patients: pd.Series) -> pd.Series:
    return patients[patients != ""]


def _units(rows: pd.DataFrame, *, over: Over, keep_nan: bool) -> pd.Series:
    units = unit_means(rows, over=over, keep_nan=keep_nan)
    if keep_nan:  # as NumPy's mean over folds would
        units = units.where(~units.isna().groupby("method", observed=True).transform("any"))
    return units


def _with_spread(table: pd.DataFrame, units: pd.Series, *, column: str, between: Over) -> None:
    by_method = units.groupby("method", observed=True)
    table[column] = by_method.mean()
    table[f"{column}_sd"] = by_method.std()
    ends = pd.DataFrame(
        {
            str(method): mean_interval(values.to_numpy(np.float64), of=values.index.get_level_values(between))
            for method, values in by_method
        },
        index=[f"{column}_low", f"{column}_high"],
        dtype=np.float64,
    )
    table[list(ends.index)] = ends.T.clip(-1, 1)  # no correlation lies beyond


def _settle_ceilings(table: pd.DataFrame, ceilings: pd.DataFrame) -> None:
    """Leave the mean alone, 0 at least, of what is no section's own."""
    rows = table.index.isin(ceilings["method"].unique())
    columns = [str(column) for column in table]
    spread = [column for column in columns if column.endswith(("_sd", "_low", "_high"))]
    means = [column for column in columns if column.startswith("pcc") and column not in spread]
    table.loc[rows, spread] = np.nan
    table.loc[rows, means] = table.loc[rows, means].clip(lower=0)


def _ceiling_share(rows: pd.DataFrame, *, over: Over, metric: str = "pcc") -> pd.Series:
    both = beside_ceiling(rows, metric=metric)
    reached, reachable = (
        unit_means(both, over=over, value=value).groupby("method", observed=True).mean()
        for value in ("value", "value_ceiling")
    )
    return reached / reachable.where(reachable >= _MEASURED)


def _with_numbers(table: pd.DataFrame, scores: pd.DataFrame, pcc: pd.DataFrame) -> None:
    by_method = scores.groupby("method", observed=True)
    table["kind"] = by_method["kind"].first().astype(str)
    table["transductive"] = by_method["transductive"].any()
    table["tuned"] = by_method["tuned"].any()
    table["sees"] = by_method["sees"].first().astype(object).fillna("")
    table["n_constant"] = pcc["value"].isna().groupby(pcc["method"], observed=True).sum()
    for name in ("patient", "section", "fold"):
        rows = pcc[pcc[name] != ""]
        table[f"n_{name}s"] = rows.groupby("method", observed=True)[name].nunique()
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
    sure = (
        f", with 95 % intervals over {said['units']}s"
        if summary[f"{said.get('metric', 'pcc')}_low"].notna().any()
        else ""
    )
    return [
        f"{_who(said)}, {_count(said['n_sections'], 'section')}; held out by {said['by']}.",
        f"Means over {said['over']}s{sure}.",
        *_on_patients(said),
        *_on_folds(said),
        *_on_methods(summary),
        *say_explained(summary),
    ]


def _who(said: dict) -> str:
    """Say how many patients, and never count an unknown one."""
    if not said["n_unknown"]:
        return _count(said["n_patients"], "patient")
    if not said["n_patients"]:
        return "Patients unknown"
    if said["units"] == "patient":
        return f"{said['n_patients']} known patients"
    return f"{_count(said['n_patients'], 'known patient')} and {said['n_unknown']} sections of unknown ones"


def _on_patients(said: dict) -> list[str]:
    sentences = []
    if said["n_unknown"]:
        sections, units = _count(said["n_unknown"], "section"), said["units"]
        sentences.append(
            f"Nobody said whom {sections} came from: in no mean, interval or p value, for they may be of any of the "
            "known patients. Name theirs to have them counted."
            if units == "patient"
            else f"Nobody said whom {sections} came from: intervals and p values are over sections, which may be of "
            "one patient, and say nothing about another patient. Name patients to learn that."
        )
    elif said["n_patients"] == 1:
        sentences.append(
            "Only 1 patient: intervals over patients cannot be given; sections of one patient resemble each other, "
            "so what holds for them may not hold for the next patient."
        )
    few = cannot_tell(said[f"n_{said['units']}s"], said["units"])
    return [*sentences, few] if few else sentences


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
    tuned = judged.index[judged["tuned"].astype(bool)]
    if len(tuned):
        sentences.append(
            f"{TUNED} Defaults chosen by scores on these very data, which flatters them here: {', '.join(tuned)}. "
            "Never bold."
        )
    for method, row in judged[judged["n_failed"] > 0].iterrows():
        folds = f"{row['n_failed']} of {_count(summary.attrs['n_folds'], 'fold')}"
        reasons = shorten(row["failed"], _REASONS, placeholder=" …").rstrip(".")
        sentences.append(f"{FAILED} {method} failed in {folds} and is averaged over the others, if any: {reasons}.")
    return sentences


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
