"""Does the picture hang together: which genes go together, which have a spatial pattern, as measured and predicted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from mclstexp.analysis.pairs import Pair
from mclstexp.core.errors import InputError
from mclstexp.core.pearson import Values, constant_prediction, constant_truth
from mclstexp.core.section import check_sections
from mclstexp.data.autocorrelation import morans_i
from mclstexp.evaluation.structure import most_variable, unit_columns


def gene_correlations(
    pairs: Sequence[Pair], *, genes: Sequence[str] | None = None, n_genes: int = 40
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correlate genes with each other over spots, as measured and as predicted, in one order.

    Counts are noisy, and noise weakens every measured correlation; a prediction has no such noise, so it may show
    stronger ones without being wrong. What it can be wrong in is the pattern, and how much stronger.

    Parameters
    ----------
    pairs
        Sections, measured and predicted.
    genes
        Names; by default the `n_genes` with the most counts of those that all pairs predict.
    n_genes
        How many, where `genes` is not given.

    Returns
    -------
    truth, predicted
        (n_genes, n_genes) Pearson correlations, genes as index and columns: the mean of the sections in which both
        genes vary, NaN where there is none. Genes that go together in the truth lie side by side (average linkage on
        1 - r, leaves ordered best: Bar-Joseph et al. 2001). `plot_gene_correlations` draws them.

    Raises
    ------
    InputError
        If there is no pair, a section comes twice, fewer than two genes are asked for, one of them twice, or one is
        not predicted for a section.
    """
    check_sections([pair.section for pair in pairs])
    chosen = _most_counted(pairs, n_genes) if genes is None else list(genes)
    common = set.intersection(*(set(pair.genes) for pair in pairs))
    if len(chosen) < 2 or len(set(chosen)) < len(chosen) or not common.issuperset(chosen):
        strange = sorted(set(chosen) - common)
        found = f"{strange[0]!r}, which is not predicted" if strange else f"{len(set(chosen))} of {len(chosen)} names"
        msg = f"two or more different genes that are predicted for every section expected, found {found}: name others"
        raise InputError(msg)
    truth = _mean_correlations([(pair, pair.truth, constant_truth(pair.truth)) for pair in pairs], chosen)
    predicted = _mean_correlations([(pair, pair.guess, constant_prediction(pair.guess)) for pair in pairs], chosen)
    order = _side_by_side(truth.to_numpy())
    return truth.iloc[order, order], predicted.iloc[order, order]


def spatial_variability(pairs: Sequence[Pair], *, n_genes: int = 50) -> pd.DataFrame:
    """Measure how spatially patterned each gene is, as measured and as predicted.

    Parameters
    ----------
    pairs
        Sections, measured and predicted.
    n_genes
        How many genes count as spatially variable at most; a tenth of the panel where that is fewer.

    Returns
    -------
    One row per section and gene: "section", "gene"; "moran_truth", "moran_predicted" (Moran's I over direct neighbours,
    0 for a gene that is predicted constant, NaN where the truth is constant); "spread_predicted" (standard deviation of
    the prediction over spots); "svg_truth", "svg_predicted", "svg_spread": whether the gene is among the section's
    most spatially variable ones by the truth's Moran's I, the prediction's, and the prediction's spread.

    Raises
    ------
    InputError
        If there is no pair, or a section comes twice.
    """
    check_sections([pair.section for pair in pairs])
    tables = []
    for pair in pairs:
        flat_truth, flat = constant_truth(pair.truth), constant_prediction(pair.guess)
        wanted, given = most_variable(pair.truth, pair.guess, weights=pair.weights, n_genes=n_genes)
        spread = np.where(flat, 0, pair.guess.std(axis=0, dtype=np.float64))
        eligible = np.flatnonzero(~flat_truth & ~flat)
        wide = eligible[np.argsort(-spread[eligible], kind="stable")[: len(wanted)]]
        columns = np.arange(len(pair.genes))
        of_predicted = np.where(flat, 0, morans_i(pair.guess, pair.weights))
        of_section = {
            "section": pair.id,
            "gene": pair.genes,
            "moran_truth": morans_i(pair.truth, pair.weights),
            "moran_predicted": np.where(flat_truth, np.nan, of_predicted),
            "spread_predicted": spread,
            "svg_truth": np.isin(columns, wanted),
            "svg_predicted": np.isin(columns, given),
            "svg_spread": np.isin(columns, wide),
        }
        tables.append(pd.DataFrame(of_section))
    return pd.concat(tables, ignore_index=True)


def recover_svgs(pairs: Sequence[Pair], *, n_genes: int = 50) -> pd.DataFrame:
    """Tell how many of the genes that are spatially variable in the truth are so in the prediction.

    Nearly every predicted map is smooth, also of a gene that nothing is known of, so that Moran's I of a prediction
    hardly tells genes apart. How far its values spread can: what a method cannot see it predicts near the mean.

    Parameters
    ----------
    pairs, n_genes
        As in `spatial_variability`.

    Returns
    -------
    One row per section: "section"; "n_genes" (that vary in the truth), "n_svg" (looked for), "n_found", "share" (the
    metric ``svg_recovery`` of an evaluation), "share_by_spread" (found among as many genes of widest predicted spread)
    and "by_chance" (among as many drawn at random); "spearman" of the truth's Moran's I with the prediction's over all
    genes, and "spearman_spread" with its spread; "moran_truth", "moran_predicted" (medians over genes). NaN where no
    gene varies.

    Raises
    ------
    InputError
        As `spatial_variability`.
    """
    rows = []
    for name, genes in spatial_variability(pairs, n_genes=n_genes).groupby("section", sort=False):
        known = genes[genes["moran_truth"].notna()]
        wanted = genes[genes["svg_truth"]]
        n_svg, n_found = len(wanted), int(wanted["svg_predicted"].sum())
        rows.append(
            {
                "section": name,
                "n_genes": len(known),
                "n_svg": n_svg,
                "n_found": n_found,
                "share": n_found / n_svg if n_svg else np.nan,
                "share_by_spread": wanted["svg_spread"].mean(),
                "by_chance": n_svg / len(known) if n_svg else np.nan,
                "spearman": _rank_correlation(known, "moran_predicted"),
                "spearman_spread": _rank_correlation(known, "spread_predicted"),
                **known[["moran_truth", "moran_predicted"]].median().to_dict(),
            }
        )
    return pd.DataFrame(rows)


def _rank_correlation(genes: pd.DataFrame, column: str) -> float:
    both = genes[["moran_truth", column]]
    return float(spearmanr(both).statistic) if (both.nunique() > 1).all() else np.nan


def _most_counted(pairs: Sequence[Pair], n_genes: int) -> list[str]:
    """Return the genes with most counts over the sections of those that all predict, most first."""
    common = [gene for gene in pairs[0].genes if all(gene in pair.genes for pair in pairs)]
    total = sum(np.asarray(pair.section.counts[:, common].X.sum(axis=0), np.float64).ravel() for pair in pairs)
    return [common[i] for i in np.argsort(-total, kind="stable")[:n_genes]]


def _mean_correlations(of_sections: Sequence[tuple[Pair, Values, np.ndarray]], genes: list[str]) -> pd.DataFrame:
    """Average over sections, each a pair, its values and which genes are constant there."""
    total, n_known = np.zeros((len(genes), len(genes))), np.zeros((len(genes), len(genes)), int)
    for pair, values, flat in of_sections:
        at = [pair.genes.index(gene) for gene in genes]
        unit = unit_columns(values[:, at], flat[at])
        total += unit.T @ unit
        n_known += np.outer(~flat[at], ~flat[at])
    mean = np.where(n_known > 0, total / np.maximum(n_known, 1), np.nan)
    return pd.DataFrame(np.clip(mean, -1, 1), index=pd.Index(genes, name="gene"), columns=genes)


def _side_by_side(r: Float[np.ndarray, "n_genes n_genes"]) -> np.ndarray:
    """Order genes so that those that go together are neighbours; undefined correlations count as none."""
    apart = 1 - np.nan_to_num(r)
    np.fill_diagonal(apart, 0)
    return leaves_list(linkage(squareform(apart, checks=False), "average", optimal_ordering=True))
