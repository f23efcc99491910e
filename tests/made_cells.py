"""Made-up single cells of five types, and spots that mix two of them."""

import anndata as ad
import numpy as np
import pandas as pd
from scipy import sparse

N_TYPES, N_MARKERS = 5, 20


def rates():
    """(types, genes): each type has twenty genes of its own, and some of the others."""
    some = np.random.default_rng(5).uniform(0.5, 1.5, (N_TYPES, N_TYPES * N_MARKERS))
    for kind in range(N_TYPES):
        some[kind, kind * N_MARKERS : (kind + 1) * N_MARKERS] *= 8
    return some / some.sum(axis=1, keepdims=True)


def made_cells(n_cells=300, *, seed=0):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(N_TYPES, size=n_cells)
    cells = _counted(rates()[kinds], rng.integers(800, 1600, n_cells), rng, name="cell")
    cells.obs["cell_type"] = [f"type {kind}" for kind in kinds]
    return cells


def made_spots(n_spots=200, *, seed=1):
    rng = np.random.default_rng(seed)
    share = np.zeros((n_spots, N_TYPES))
    for spot in share:
        spot[rng.choice(N_TYPES, 2, replace=False)] = rng.dirichlet([1, 1])
    spots = _counted(share @ rates(), rng.integers(2000, 6000, n_spots), rng, name="spot")
    spots.obsm["spatial"] = rng.uniform(0, 1000, (n_spots, 2))
    return spots


def with_noise(counts, genes, *, seed=3):
    """Replace the counts of some genes by random numbers."""
    matrix = counts.X.toarray()
    columns = counts.var_names.get_indexer(genes)
    matrix[:, columns] = np.random.default_rng(seed).poisson(40, (counts.n_obs, len(columns)))
    changed = counts.copy()
    changed.X = sparse.csr_matrix(matrix)
    return changed


def grown(counts, matrix, names):
    """Return the counts with more genes beside them."""
    matrix = sparse.hstack([counts.X, sparse.csr_matrix(matrix)]).tocsr().astype(np.int32)
    return ad.AnnData(matrix, obs=counts.obs.copy(), var=pd.DataFrame(index=[*counts.var_names, *names]))


def _counted(shares, totals, rng, *, name):
    counts = sparse.csr_matrix(rng.poisson(shares * totals[:, None]).astype(np.int32))
    obs = pd.DataFrame(index=[f"{name}{i}" for i in range(len(totals))])
    return ad.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(shares.shape[1])]))
