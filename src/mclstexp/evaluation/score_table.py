"""The table of scores: its columns, what may be compared in it, and how its rows are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import pandas as pd

from mclstexp.core.errors import InputError

Over = Literal["patient", "section"]
"""What counts once in the last average."""

COLUMNS: Final = (
    "method",
    "kind",
    "fold",
    "by",
    "protocol",
    "space",
    "transductive",
    "tuned",
    "sees",
    "patient",
    "section",
    "gene",
    "metric",
    "value",
    "reason",
)
"""Columns of a score table; one boolean column per gene set follows. An unknown patient is ""."""

MAIN: Final = ("pcc", "ari")
"""Metrics that methods are ordered by: the first that a table has."""
CEILING_METRIC: Final = "ceiling"
"""Metric of the reference that says what a perfect predictor would reach; its scale is that of the PCC."""
CEILINGS: Final = {"pcc": CEILING_METRIC, "pcc_depth": "ceiling_depth", "pcc_residual": "ceiling_residual"}
"""The ceiling of each correlation that has one of its own."""
RELIABILITIES: Final = {"reliability": CEILING_METRIC} | {
    f"reliability_{what}": f"ceiling_{what}" for what in ("depth", "residual")
}
"""The ceiling that comes of each reliability, which is a section's; a ceiling is all sections'."""
RUN: Final = ("failed", "seconds", "peak_mib")
"""Metrics of a method in a whole fold; they are no scores."""
LOWER_IS_BETTER: Final = frozenset(
    ("mse", "mae", "nrmse", "rmse_z", "js", "moran_error", "gene_correlation_error", "seconds", "peak_mib")
)
"""Metrics that measure an error or a cost."""
NEAREST_ONE_IS_BEST: Final = frozenset(("dispersion",))
"""Metrics that compare a spread with the truth's."""

CELL: Final = ("fold", "patient", "section", "gene")
"""What a method scores: a gene of a tested section."""

_LATER: Final = {"tuned": False, "sees": ""}
_TEXT: Final = ("method", "kind", "fold", "by", "protocol", "space", "patient", "section", "gene", "metric")
_ALIKE: Final = ("protocol", "space", "by")
_ONE_SCORE: Final = ["method", "fold", "section", "gene", "metric"]


def gene_set_names(scores: pd.DataFrame) -> list[str]:
    """Return the names of the gene sets that a table marks."""
    return [str(column) for column in scores.columns if column not in COLUMNS]


def unknown_patients(rows: pd.DataFrame) -> int:
    """Count the sections of which nobody knows whom they come from (their "patient" is "")."""
    of_sections = rows[(rows["section"] != "") & (rows["patient"] == "")]
    return int(of_sections["section"].astype(str).nunique())


def averaged(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that may be averaged: where several individuals are known, not those of unknown ones.

    Sections of unknown patients may be of any of the known ones: they are no individuals of their own and can be
    given to none.
    """
    if not _several_known(rows):
        return rows
    return rows[(rows["section"] == "") | (rows["patient"] != "")]


def usual_over(rows: pd.DataFrame) -> Over:
    """Return what counts once in a mean: patients, or sections where hardly any patient is known."""
    return "section" if unknown_patients(rows) and not _several_known(rows) else "patient"


def independent(rows: pd.DataFrame, *, over: Over) -> Over:
    """Return what intervals and tests are made over: patients, whatever is averaged.

    Sections stand for themselves only in a mean over sections with one patient, or with at most one that is known;
    what is then found holds for those individuals.

    Raises
    ------
    InputError
        If means over patients are wanted and hardly any is known.
    """
    n_unknown, several = unknown_patients(rows), _several_known(rows)
    if over == "patient" and n_unknown and not several:
        msg = (
            f"known patients expected for means over patients, found {n_unknown} sections without: take means over "
            "sections, or name patients and evaluate again"
        )
        raise InputError(msg)
    return "patient" if over == "patient" or several else "section"


def _several_known(rows: pd.DataFrame) -> bool:
    known = rows.loc[(rows["section"] != "") & (rows["patient"] != ""), "patient"]
    return known.nunique() > 1


def merit(metric: str, values: pd.Series) -> pd.Series:
    """Return values that are larger the better: errors turn their sign, spreads become the distance from 1."""
    if metric in NEAREST_ONE_IS_BEST:
        return -(values - 1).abs()
    return -values if metric in LOWER_IS_BETTER else values


def comparable(scores: pd.DataFrame) -> pd.DataFrame:
    """Check that all rows may be compared, and return them with categories for text, which makes grouping quick.

    Raises
    ------
    InputError
        If columns or rows are missing; if rows differ in protocol, space or what folds keep apart; if the methods
        of a fold were scored on different genes or gene sets; or if one score stands there twice.
    """
    later = {column: usual for column, usual in _LATER.items() if column not in scores.columns}
    if later:  # of an earlier version, which did not say
        scores = pd.concat([scores, pd.DataFrame(later, index=scores.index)], axis=1)
    missing = [column for column in COLUMNS if column not in scores.columns]
    if missing:
        msg = f"a table of scores as `evaluate` returns it expected, found no column {missing[0]!r}: give that table"
        raise InputError(msg)
    if scores.empty:
        msg = "a table of scores expected, found one without rows: evaluate at least one method on one fold"
        raise InputError(msg)
    for column in ("patient", "section"):
        if scores[column].isna().any():  # as a CSV file gives back what is unknown
            scores = scores.assign(**{column: scores[column].astype(object).fillna("")})
    scores = scores.astype(dict.fromkeys(_TEXT, "category"))
    for column in _ALIKE:
        found = sorted(map(str, scores[column].dropna().unique()))
        if len(found) > 1:
            what = "folds held out by one thing" if column == "by" else f"scores of one {column}"
            msg = f"{what} expected, found {' and '.join(map(repr, found))}: look at the rows of each apart"
            raise InputError(msg)
    _check_genes(scores)
    twice = scores.duplicated(_ONE_SCORE)
    if twice.any():
        row = scores[twice].iloc[0]
        msg = (
            f"one score per method, fold, section, gene and metric expected, found several of {row['method']!r} "
            f"in fold {row['fold']!r}: give the methods of each run names of their own"
        )
        raise InputError(msg)
    return scores


def _check_genes(scores: pd.DataFrame) -> None:
    """Methods of one fold answer for the same genes, and gene sets are the same to all of them."""
    sets = gene_set_names(scores)
    rows = scores[scores["gene"].notna() & (scores["gene"] != "")]
    asked = rows[["fold", "method", "gene", *sets]].drop_duplicates()
    n_methods = asked.groupby("fold", observed=True)["method"].nunique()
    of_gene = asked.groupby(["fold", "gene"], observed=True)
    n_rows = of_gene.size()
    short = n_rows.to_numpy() != n_methods.loc[n_rows.index.get_level_values("fold")].to_numpy()
    torn = (of_gene[sets].nunique() > 1).any(axis=1).to_numpy() if sets else False
    wrong = n_rows.index[short | torn]
    if len(wrong):
        fold, gene = wrong[0]
        msg = (
            f"one panel and the same gene sets for all methods of a fold expected, found {gene!r} of fold {fold!r} "
            "in only some: compare methods that were evaluated in one run"
        )
        raise InputError(msg)


def unit_means(
    rows: pd.DataFrame,
    *,
    over: Over,
    per: Sequence[str] = ("method",),
    value: str = "value",
    keep_nan: bool = False,
) -> pd.Series:
    """Average genes within a section, then (over patients) sections within a patient.

    A patient of six sections thus weighs no more than one of three.

    Parameters
    ----------
    rows
        Of one metric, unless it is named in `per`.
    over
        What is left standing: patients, or single sections.
    per
        Columns whose values are averaged apart.
    value
        Column that is averaged.
    keep_nan
        Whether a single NaN makes its section and patient NaN; otherwise it is left out.

    Returns
    -------
    Indexed by `per`, "patient" and, over sections, "section".
    """
    means = _mean(rows.groupby([*per, "patient", "section"], observed=True)[value], keep_nan=keep_nan)
    return means if over == "section" else _mean(means.groupby([*per, "patient"], observed=True), keep_nan=keep_nan)


def _mean(groups: pd.api.typing.SeriesGroupBy, *, keep_nan: bool) -> pd.Series:
    return groups.mean() if not keep_nan else groups.mean().where(groups.count() == groups.size())


def gene_means(scores: pd.DataFrame, *, metric: str, gene_set: str | None = None) -> pd.DataFrame:
    """Average one metric of each gene over sections within a patient, then over patients (where known).

    Returns
    -------
    (n_genes, n_methods), NaN where a method has no score of a gene.

    Raises
    ------
    InputError
        If the table has no such metric or gene set.
    """
    rows = averaged(rows_of(scores, metric=metric, gene_set=gene_set))
    means = unit_means(rows, over=usual_over(rows), per=("method", "gene"))
    table = means.groupby(["gene", "method"], observed=True).mean().unstack("method")
    return table.rename(index=str, columns=str)


def beside_ceiling(rows: pd.DataFrame, *, metric: str = "pcc") -> pd.DataFrame:
    """Write the noise ceiling of the same gene and section into the column "value_ceiling".

    Parameters
    ----------
    rows
        Rows of a metric of `CEILINGS` and of its ceiling; those without a value, or whose gene has no ceiling, are left
        out.
    metric
        Which one.
    """
    ceiling = rows.loc[rows["metric"] == CEILINGS[metric], [*CELL, "value"]]
    pcc = rows[rows["metric"].isin((metric, CEILINGS[metric]))]
    return pcc.merge(ceiling, on=list(CELL), suffixes=("", "_ceiling")).dropna(subset=["value", "value_ceiling"])


def main_metric(scores: pd.DataFrame) -> str:
    """Return what the methods of a table are ordered by: the PCC, or of domains the adjusted Rand index."""
    present = set(scores["metric"].astype(str))
    return next((metric for metric in MAIN if metric in present), MAIN[0])


def rows_of(scores: pd.DataFrame, *, metric: str, gene_set: str | None = None) -> pd.DataFrame:
    """Return the rows of one metric and, if one is named, one gene set.

    Raises
    ------
    InputError
        If there are none.
    """
    names = gene_set_names(scores)
    if gene_set is not None and gene_set not in names:
        msg = f"a gene set of the table ({', '.join(names) or 'it has none'}) expected, found {gene_set!r}: name one"
        raise InputError(msg)
    chosen = scores["metric"] == metric
    if gene_set is not None:
        chosen &= scores[gene_set].astype(bool)
    if not chosen.any():
        known = ", ".join(sorted({str(name) for name in scores["metric"].unique()} - set(RUN)))
        msg = f"a metric of the table ({known}) with scores expected, found {metric!r}: name one"
        raise InputError(msg)
    return scores[chosen]
