"""The default gene panel, chosen from training sections alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.gene_blocks import blocks
from mclstexp.core.section import Section, check_sections

_DENSE = 2**19  # counts made dense at a time: all of a section at once may be more than a machine holds


def common_genes(sections: Sequence[Section]) -> list[str]:
    """Return the genes measured in every section, in the first one's order.

    Raises
    ------
    InputError
        If the sections share no gene.
    """
    sections = check_sections(sections)
    shared = set(sections[0].genes).intersection(*(section.genes for section in sections[1:]))
    genes = [gene for gene in sections[0].genes if gene in shared]
    if not genes:
        msg = f"sections must share genes, found none common to all {len(sections)}: are the names of one kind?"
        raise InputError(msg)
    return genes


def select_hvg(sections: Sequence[Section], *, n_genes: int = 1000, min_spot_share: float = 0.05) -> list[str]:
    """Choose the genes that vary most beyond what sampling explains.

    Ranks genes by the mean over sections of the rank of their Pearson-residual variance under a Poisson
    model of depth and abundance (analytic Pearson residuals; Lause, Berens and Kobak 2021, eq. 3, with
    overdispersion 0.01), clipped at the square root of the number of spots as there.

    Parameters
    ----------
    sections
        Training sections.
    n_genes
        Size of the panel, or fewer where fewer pass the filter.
    min_spot_share
        A gene is considered only if at least this share of all spots has a count of it.

    Raises
    ------
    InputError
        If no gene passes.
    """
    genes = np.array(common_genes(sections))
    n_spots = sum(len(section) for section in sections)
    matrices = [section.counts[:, genes].X.tocsc() for section in sections]
    detected = sum(np.diff(matrix.indptr) for matrix in matrices) / n_spots
    keep = np.flatnonzero(detected >= min_spot_share)
    if len(keep) == 0:
        msg = f"no gene has a count in {min_spot_share:.0%} of the {n_spots} spots: lower min_spot_share"
        raise InputError(msg)
    chosen = np.sort(keep[by_variability([matrix[:, keep] for matrix in matrices], names=genes[keep])[:n_genes]])
    return genes[chosen].tolist()


def by_variability(counts: Sequence[sparse.spmatrix], *, names: ArrayLike) -> NDArray[np.intp]:
    """Order genes from most to least variable, as `select_hvg` ranks them.

    Parameters
    ----------
    counts
        (n_spots, n_genes) raw counts of the same genes, sparse, one matrix per section.
    names
        (n_genes,) of the genes; they settle equal ranks, so that the order of a file's columns does not.

    Returns
    -------
    (n_genes,) columns, the most variable first.
    """
    rank = np.zeros(counts[0].shape[1])
    for matrix in counts:
        rank += np.argsort(np.argsort(_residual_variance(sparse.csc_matrix(matrix))))
    return np.lexsort((np.asarray(names), -rank))


def _residual_variance(counts: sparse.csc_matrix) -> np.ndarray:
    """Variance of clipped analytic Pearson residuals of each gene: (n_spots, n_genes) → (n_genes,)."""
    n_spots, n_genes = counts.shape
    of_spot = np.asarray(counts.sum(axis=1), np.float64).reshape(-1, 1)
    of_gene = np.asarray(counts.sum(axis=0), np.float64).reshape(1, -1)
    total, limit, found = max(of_spot.sum(), 1), np.sqrt(n_spots), np.empty(n_genes)
    for some in blocks(n_genes, n_spots, most=_DENSE):
        part = counts[:, some].toarray().astype(np.float64)
        expected = of_spot * of_gene[:, some] / total
        spread = np.sqrt(expected + 0.01 * expected**2)
        residual = np.divide(part - expected, spread, out=np.zeros_like(part), where=spread > 0)
        found[some] = np.clip(residual, -limit, limit).var(axis=0)
    return found
