"""Which genes are hidden together when imputation is judged: by chance, or with all that go along with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from anndata import AnnData
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from mclstexp.core.errors import InputError
from mclstexp.core.pairing import DETECTED, log_shares, require_shared
from mclstexp.imputation.patterns import z_scores

By = Literal["gene", "cluster"]

N_GENES: Final = 400
"""Genes that are scored by default."""
DETECTED_IN: Final = 0.1
"""Share of the spots that hold a count of a gene which is scored."""
_CLUSTERS_A_FOLD: Final = 4
_COMPONENTS: Final = 20
_MANY_CELLS: Final = 3000


@dataclass(frozen=True)
class GeneFold:
    """Genes that are hidden together."""

    name: str
    """Says which."""
    asked: tuple[str, ...]
    """Those that are scored."""
    hidden: frozenset[str]
    """All that the method does not see of the section: with the asked ones, in a fold of clusters, their kin."""


def genes_to_score(counts: AnnData, reference: AnnData, *, n_genes: int = N_GENES) -> list[str]:
    """Choose the genes that vary most on the section, among those in a tenth of its spots and in the reference.

    The truth chooses what is *scored*; nothing that is chosen for a method to learn from is chosen by it.

    Raises
    ------
    InputError
        If there is none; if section and reference share no genes, or the reference has no counts.
    """
    require_shared(counts.var_names, reference.var_names)
    if reference.X.sum() == 0:
        msg = f"cells with counts expected in the reference, found none of {reference.n_obs}: give its raw counts"
        raise InputError(msg)
    often = np.diff(counts.X.tocsc().indptr) > DETECTED_IN * counts.n_obs
    both = np.flatnonzero(often & counts.var_names.isin(reference.var_names))
    if len(both) == 0:
        msg = (
            f"genes in more than {DETECTED_IN:.0%} of the spots and in the reference expected, found none: give a "
            "deeper section, or a reference whose genes are named as the section's"
        )
        raise InputError(msg)
    spread = log_shares(counts.X)[:, both].toarray().var(axis=0)
    order = np.lexsort((counts.var_names[both].astype(str), -spread))[:n_genes]
    return [str(gene) for gene in counts.var_names[both[order]]]


def folds_of_genes(
    counts: AnnData, reference: AnnData, *, genes: Sequence[str], by: By = "gene", n_folds: int = 5, seed: int = 0
) -> list[GeneFold]:
    """Deal genes to folds.

    Parameters
    ----------
    counts, reference
        Raw counts; of the section nothing but the names and which genes are found at all is looked at.
    genes
        Those that are scored.
    by
        "gene": each for itself, by chance. "cluster": by clusters of genes that go together in the reference, scored
        or not, so that no near relative of a hidden gene is left to learn from.
    n_folds
        How many.
    seed
        Of chance and clustering.

    Raises
    ------
    InputError
        If there are fewer genes, or clusters with scored genes, than folds.
    """
    if not 2 <= n_folds <= len(genes):
        msg = f"from 2 folds to as many as there are genes to score ({len(genes)}) expected, found {n_folds}"
        raise InputError(msg)
    if by == "gene":
        parts = np.array_split(np.random.default_rng(seed).permutation(np.array(genes, object)), n_folds)
        return [GeneFold(f"genes {i + 1}", tuple(map(str, part)), frozenset(part)) for i, part in enumerate(parts)]
    often = np.diff(counts.X.tocsc().indptr) >= DETECTED * counts.n_obs
    all_ = [str(gene) for gene in counts.var_names[often & counts.var_names.isin(reference.var_names)]]
    all_ = [*genes, *(gene for gene in all_ if gene not in set(genes))]
    of_gene = dict(zip(all_, _clusters(reference, all_, n=_CLUSTERS_A_FOLD * n_folds, seed=seed), strict=True))
    groups: list[list[str]] = [[] for _ in range(n_folds)]
    scored: dict[int, list[str]] = {}
    for gene in genes:
        scored.setdefault(of_gene[gene], []).append(gene)
    for cluster in sorted(scored, key=lambda c: (-len(scored[c]), c)):
        min(groups, key=len).extend(scored[cluster])
    if not all(groups):
        msg = f"at least {n_folds} clusters of genes to score expected, found {len(scored)}: ask for fewer folds"
        raise InputError(msg)
    kin = [{of_gene[gene] for gene in group} for group in groups]
    return [
        GeneFold(f"clusters {i + 1}", tuple(group), frozenset(gene for gene in all_ if of_gene[gene] in kin[i]))
        for i, group in enumerate(groups)
    ]


def _clusters(reference: AnnData, genes: list[str], *, n: int, seed: int) -> NDArray[np.int32]:
    """Cluster genes by how they go together over (some of) the cells: k-means on principal components."""
    rng = np.random.default_rng(seed)
    kept = np.flatnonzero(np.asarray(reference.X.sum(axis=1)).ravel() > 0)
    some = np.sort(rng.choice(kept, min(_MANY_CELLS, len(kept)), replace=False))
    cells = log_shares(reference.X[some])[:, reference.var_names.get_indexer(genes)].toarray()
    patterns = z_scores(cells).T / np.sqrt(len(some))
    n_components = min(_COMPONENTS, *patterns.shape)
    scores = PCA(n_components, svd_solver="randomized", random_state=seed).fit_transform(patterns)
    # genes that go together, however strongly
    scores /= np.maximum(np.linalg.norm(scores, axis=1, keepdims=True), 1e-12)
    return np.asarray(KMeans(min(n, len(genes)), n_init=4, random_state=seed).fit_predict(scores), np.int32)
