"""How good imputation is on a section: genes that were measured are hidden from everything, imputed, and compared."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from mclstexp.core.imputer import Imputer, measured_spots
from mclstexp.core.pairing import log_shares
from mclstexp.core.pearson import PerGene, Values, pearson_per_gene
from mclstexp.core.section import as_counts
from mclstexp.evaluation.metrics import js, pcc, pcc_depth, spearman
from mclstexp.imputation.gene_folds import N_GENES, By, GeneFold, folds_of_genes, genes_to_score
from mclstexp.imputation.patterns import z_scores

OnEvent = Callable[[str, str, str], None]
METRICS: Final = ("pcc", "pcc_depth", "spearman", "rmse_z", "js")
"""Scores of a hidden gene; the first three rise with how near it is."""
SPLIT_HALF: Final = "split-half r of the truth"
"""The row of a summary that says how well the truth agrees with itself."""
_N_HALVINGS: Final = 5
_N_RESAMPLES: Final = 2000


def judge_imputation(
    counts: AnnData,
    reference: AnnData,
    methods: Mapping[str, Imputer],
    *,
    n_genes: int = N_GENES,
    by: Sequence[By] = ("gene", "cluster"),
    seed: int = 0,
    on_event: OnEvent | None = None,
) -> pd.DataFrame:
    """Hide genes fold by fold, have each method impute them, and score every gene.

    A method is handed the section **without** the hidden genes: they are in no total, no choice of genes, no scaling.

    Parameters
    ----------
    counts, reference
        Raw counts, as for `Imputer.impute`. Spots without counts are left out.
    methods
        Methods by the name they have in the table.
    n_genes
        How many genes are scored: the most variable (`genes_to_score`).
    by
        How they are hidden, in five folds: see `folds_of_genes`.
    seed
        Of folds, clusters and halves.
    on_event
        Called with (method, fold, "of N" | "begun" | "done").

    Returns
    -------
    One row a method, way of hiding and gene: `METRICS`, `split_half`, `seconds` (of the method on the fold). The depth
    that "pcc_depth" takes out is the total over the genes that are not hidden, which a method knows.

    Raises
    ------
    InputError
        As `Imputer.impute`, `genes_to_score` and `folds_of_genes`.
    """
    tell = on_event or (lambda *_: None)
    counts = counts[measured_spots(counts)].copy()
    counts.X = as_counts(counts.X, where="the section")
    reference = reference.copy()
    reference.X = as_counts(reference.X, where="the reference")
    genes = genes_to_score(counts, reference, n_genes=n_genes)
    folds = [(how, f) for how in by for f in folds_of_genes(counts, reference, genes=genes, by=how, seed=seed)]
    halves = dict(zip(genes, split_half(counts, genes, seed=seed), strict=True))
    tell("", "", f"of {len(folds) * len(methods)}")
    tables = []
    for how, fold in folds:
        for name, imputer in methods.items():
            tell(name, fold.name, "begun")
            table = score_fold(imputer, fold, counts, reference)
            tables.append(table.assign(method=name, hidden_by=how, split_half=[halves[g] for g in fold.asked]))
            tell(name, fold.name, "done")
    found = pd.concat(tables, ignore_index=True)
    return found[["method", "hidden_by", "fold", "gene", *METRICS, "split_half", "seconds"]]


def score_fold(imputer: Imputer, fold: GeneFold, counts: AnnData, reference: AnnData) -> pd.DataFrame:
    """Have a method impute the genes of a fold, from a section without any that is hidden, and score each.

    Returns
    -------
    One row a gene: "fold", "gene", `METRICS`, "seconds".
    """
    began = time.monotonic()
    predicted = np.asarray(ask_fold(imputer, fold, counts, reference).X, np.float64)
    seconds = time.monotonic() - began
    return mark_fold(predicted, fold, counts).assign(fold=fold.name, seconds=seconds)


def ask_fold(imputer: Imputer, fold: GeneFold, counts: AnnData, reference: AnnData) -> AnnData:
    """Have a method impute the genes of a fold, from a section without any that is hidden."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* have no counts: .*")  # a word for each method and fold
        return imputer.impute(_seen(counts, fold), reference, genes=fold.asked)


def mark_fold(predicted: Values, fold: GeneFold, counts: AnnData) -> pd.DataFrame:
    """Score each gene of a fold: "gene" and `METRICS`."""
    truth = log_shares(counts.X)[:, counts.var_names.get_indexer(fold.asked)].toarray()
    # with hidden genes in it, depth would tell of them
    depth = np.asarray(_seen(counts, fold).X.sum(axis=1), np.float64).ravel()
    return pd.DataFrame(
        {
            "gene": list(fold.asked),
            "pcc": pcc(truth, predicted),
            "pcc_depth": pcc_depth(truth, predicted, depth=depth),
            "spearman": spearman(truth, predicted),
            "rmse_z": rmse_z(truth, predicted),
            "js": js(truth, predicted),
        }
    )


def _seen(counts: AnnData, fold: GeneFold) -> AnnData:
    return counts[:, ~counts.var_names.isin(list(fold.hidden))].copy()


def rmse_z(truth: Values, predicted: Values) -> PerGene:
    """Root mean squared error of z-scores over the spots: (n_genes,), 0 at best, 1 for a constant prediction.

    Levels do not count: it is √(2 - 2r) where the prediction varies.
    """
    constant = pearson_per_gene(truth, predicted) == 0
    z = np.where(constant, 0, z_scores(predicted))
    return np.sqrt(((z_scores(truth) - z) ** 2).mean(axis=0))


def split_half(counts: AnnData, genes: Sequence[str], *, seed: int = 0) -> PerGene:
    """Correlate two halves of the counts, each molecule falling into either by chance; mean of five halvings.

    Both halves are on the log scale of their own totals. What the measurement says of itself at half its depth: a good
    imputation of a sparse gene may score more.
    """
    rng = np.random.default_rng(seed)
    columns = counts.var_names.get_indexer(list(genes))
    found = []
    for _ in range(_N_HALVINGS):
        first = sparse.csr_matrix(counts.X, copy=True)
        first.data = rng.binomial(first.data, 0.5)
        second = sparse.csr_matrix(counts.X - first)
        for half in (first, second):
            half.eliminate_zeros()
        halves = [log_shares(half)[:, columns].toarray() for half in (first, second)]
        found.append(np.nan_to_num(pearson_per_gene(*halves)))
    return np.asarray(np.mean(found, axis=0))


def summarise_imputation(scores: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Return means over genes, and for the correlations an interval: 95 % of means over genes drawn anew (bootstrap).

    The interval is over genes of this section: it says nothing of other sections.

    Parameters
    ----------
    scores
        Of `judge_imputation`.
    seed
        Of the draws.

    Returns
    -------
    By (hidden_by, method), best first, with a last row `SPLIT_HALF`: means of `METRICS`, "pcc_low", "pcc_high",
    "pcc_depth_low", "pcc_depth_high", n_genes, and the seconds of all folds.
    """
    tables = []
    for how, of_how in scores.groupby("hidden_by", sort=False):
        table = pd.DataFrame([_means(some, seed=seed) for _, some in of_how.groupby("method", sort=False)])
        truth = pd.DataFrame([{"method": SPLIT_HALF, "pcc": of_how.drop_duplicates("gene")["split_half"].mean()}])
        table = pd.concat([table.sort_values("pcc", ascending=False, kind="stable"), truth])
        tables.append(table.assign(hidden_by=how))
    return pd.concat(tables).set_index(["hidden_by", "method"])


def _means(some: pd.DataFrame, *, seed: int) -> dict[str, Any]:
    """Return a row of the summary: of one method, genes hidden in one way."""
    row: dict[str, Any] = {"method": some["method"].iloc[0], **{name: some[name].mean() for name in METRICS}}
    for name in ("pcc", "pcc_depth"):
        row[f"{name}_low"], row[f"{name}_high"] = _interval(some[name].to_numpy(), seed=seed)
    return {**row, "n_genes": len(some), "seconds": some.groupby("fold")["seconds"].first().sum()}


def _interval(values: np.ndarray, *, seed: int) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return np.nan, np.nan
    drawn = np.random.default_rng(seed).integers(len(values), size=(_N_RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
