"""Is one method better than another: differences on the same genes, tested over patients."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from mclstexp.core.errors import InputError
from mclstexp.evaluation.resampling import SIGNIFICANT, holm, mean_interval, sign_flip_p, smallest_p, unit_sums
from mclstexp.evaluation.score_table import (
    CELL,
    Over,
    averaged,
    comparable,
    independent,
    main_metric,
    merit,
    rows_of,
    usual_over,
)

_COLUMNS = ("method", "baseline", "difference", "low", "high", "p", "holm", "smallest_p", "n_units", "told_apart")


def compare_methods(
    scores: pd.DataFrame,
    *,
    metric: str | None = None,
    gene_set: str | None = None,
    over: Over | None = None,
    baseline: str | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every method with one baseline.

    Two methods are subtracted gene by gene where both have a score; the differences are averaged over genes within a
    section and sections within a patient, which leaves one number per patient.

    Parameters
    ----------
    scores
        A table of `evaluate`.
    metric
        What is compared; by default what methods are ordered by, the PCC.
    gene_set
        Only these genes.
    over
        What counts once in the mean difference; by default patients, or the sections where fewer than two patients
        are known. Interval and p are over patients either way, wherever several are known; sections of unknown ones
        are then left out. Over the sections of one patient, or of unknown ones, they say nothing about other patients.
    baseline
        Any method, control or the depth oracle; by default the best. The best is best by luck too: name the baseline
        before looking where a claim hangs on it.
    seed
        Of random flips.

    Returns
    -------
    One row per method other than references, largest difference first; none where there is nothing to compare.
    "method", "baseline", "difference" (method minus baseline; of errors, negative is better), "low" and "high" (95 % t
    interval over units; NaN with fewer than two), "p", "holm" (p corrected for all rows), "smallest_p", "n_units" and
    "told_apart": p below 0.05 and an interval without 0, never where the smallest possible p is 0.05 or more.
    ``attrs`` says "metric", "gene_set", "over", "units" (what is independent), "by" and "protocol".

    Raises
    ------
    InputError
        If rows may not be compared (see `summarise`) or a name is not in the table.

    Notes
    -----
    p is that of an exact sign-flip test of the mean difference: all 2ⁿ choices of signs for n ≤ 12 units, 10,000
    random ones beyond. Wilcoxon's signed ranks flip the same signs but forget how large the differences are, so they
    can reach no smaller p and test something other than the mean that is reported. The smallest p for n units is
    2 / 2ⁿ (both sides): 1 for one patient, 0.25 for 3, 0.0625 for 5, 0.031 for 6. With fewer than six patients nothing
    is significant at 0.05, however clear; after Holm's correction for m methods it takes 2m / 2ⁿ < 0.05. In a mean over
    sections of several patients, a patient's sections flip their signs together.
    """
    metric = main_metric(scores) if metric is None else metric
    table, kinds, said = _prepare(scores, metric=metric, gene_set=gene_set, over=over)
    judged = [name for name in table.columns if kinds[name] != "reference"]
    if baseline is None:
        merits = merit(metric, _units(table[judged], over=said["over"]).mean()).dropna()
        baseline = str(merits.idxmax()) if len(merits) else None
    elif baseline not in table.columns:
        msg = f"a method of the table ({', '.join(table.columns)}) as baseline expected, found {baseline!r}: name one"
        raise InputError(msg)
    pairs = [(name, baseline) for name in judged if name != baseline] if baseline is not None else []
    return _tested(table, pairs, said=said, seed=seed)


def compare_pairs(
    scores: pd.DataFrame,
    *,
    metric: str = "pcc",
    gene_set: str | None = None,
    over: Over | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare all pairs of methods; as `compare_methods`, with Holm's correction for all pairs."""
    table, kinds, said = _prepare(scores, metric=metric, gene_set=gene_set, over=over)
    judged = [name for name in table.columns if kinds[name] != "reference"]
    order = merit(metric, _units(table[judged], over=said["over"]).mean()).sort_values(ascending=False, kind="stable")
    return _tested(table, list(combinations(order.index, 2)), said=said, seed=seed)


def _prepare(
    scores: pd.DataFrame, *, metric: str, gene_set: str | None, over: Over | None
) -> tuple[pd.DataFrame, dict[str, str], dict[str, str | None]]:
    """Return (cells, methods) values, the methods' kinds, and what to say of the comparison."""
    scores = comparable(scores)
    rows = averaged(rows_of(scores, metric=metric, gene_set=gene_set))
    table = rows.set_index(["method", *CELL])["value"].unstack("method")
    table = table.rename(columns=str)
    if over is None:
        over = usual_over(rows) if rows["patient"].nunique() > 1 else "section"
    kinds = {str(name): str(kind) for name, kind in rows.groupby("method", observed=True)["kind"].first().items()}
    said: dict[str, str | None] = {"metric": metric, "gene_set": gene_set, "over": over}
    said["units"] = independent(rows, over=over)
    return table, kinds, said | {name: str(scores[name].iloc[0]) for name in ("by", "protocol")}


def _units(values: pd.DataFrame, *, over: str | None) -> pd.DataFrame:
    """Average columns over genes, then (over patients) over sections."""
    means = values.groupby(["patient", "section"], observed=True).mean()
    return means if over == "section" else means.groupby("patient", observed=True).mean()


def _tested(
    table: pd.DataFrame, pairs: list[tuple[str, str]], *, said: dict[str, str | None], seed: int
) -> pd.DataFrame:
    rows = []
    for method, baseline in pairs:
        means = _units((table[method] - table[baseline]).to_frame(), over=said["over"])[0].dropna()
        of = means.index.get_level_values(str(said["units"]))
        differences = unit_sums(means.to_numpy(), of=of)[0]
        low, high = mean_interval(means.to_numpy(), of=of)
        p = sign_flip_p(differences, seed=seed)
        rows.append(
            {
                "method": method,
                "baseline": baseline,
                "difference": means.mean(),
                "low": low,
                "high": high,
                "p": p,
                "holm": np.nan,
                "smallest_p": smallest_p(len(differences)),
                "n_units": len(differences),
                "told_apart": p < SIGNIFICANT and not low <= 0 <= high,
            }
        )
    tested = pd.DataFrame(rows, columns=list(_COLUMNS))
    tested["holm"] = holm(tested["p"])
    tested = tested.sort_values("difference", ascending=False, kind="stable", ignore_index=True)
    tested.attrs.update(said)
    return tested
