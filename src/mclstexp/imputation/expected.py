"""What score to expect of a gene nobody can check: what genes like it reach when they are hidden."""

from __future__ import annotations

import warnings
from typing import Final

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float
from numpy.typing import NDArray

from mclstexp.core import keys
from mclstexp.core.imputer import Imputer, measured_spots
from mclstexp.core.pairing import MIN_GENES, Pairing, pair
from mclstexp.evaluation.metrics import pcc, pcc_depth
from mclstexp.imputation.patterns import co_expression, moments, z_scores
from mclstexp.training.progress import epoch_progress

N_TRIED: Final = 500
"""Genes that are hidden in turn, drawn among those that are learnt from."""
N_FOLDS: Final = 5
_NEAREST: Final = 20
_LEAST: Final = 2 * MIN_GENES


def expected_scores(
    imputer: Imputer, counts: AnnData, reference: AnnData, *, targets: tuple[str, ...], seed: int = 0
) -> pd.DataFrame:
    """Say how well each gene is likely to be imputed, from shared genes that are hidden in turn.

    A score of a hidden gene is regressed on what the reference alone says of it: how closely the nearest gene and the
    twenty nearest go along with it over the cells, its mean and its spread. By the same line the genes that were asked
    for get theirs. Counts of these take no part.

    Parameters
    ----------
    imputer
        The method.
    counts, reference
        As for `Imputer.impute`.
    targets
        The genes that are asked for.
    seed
        Of the draw of genes and folds.

    Returns
    -------
    One row a target, in order: `expected_pcc` and `expected_pcc_depth`, in [-1, 1]; NaN, and a warning, where fewer
    than ten genes are shared.

    Raises
    ------
    InputError
        As `Imputer.impute`.
    """
    seen = counts[:, ~counts.var_names.isin(targets)]
    seen = seen[measured_spots(seen)].copy()
    known = pair(seen, reference, genes=targets)
    index = pd.Index(targets, dtype=object)
    if len(known.genes) < _LEAST:
        text = f"{len(known.genes)} shared genes are too few to hide some: no score is expected of any gene"
        warnings.warn(text, stacklevel=3)
        return pd.DataFrame(np.nan, index=index, columns=[keys.EXPECTED_PCC, keys.EXPECTED_PCC_DEPTH])
    drawn = np.random.default_rng(seed).permutation(len(known.genes))[:N_TRIED]
    found = np.full((len(drawn), 2), np.nan)
    features = np.empty((len(drawn), 4))
    with epoch_progress(f"expected scores of {imputer.name}", N_FOLDS, unit="run") as on_run:
        for run, fold in enumerate(np.array_split(np.arange(len(drawn)), N_FOLDS)):
            on_run(run)
            hidden = drawn[fold]
            predicted = imputer.impute(seen, reference, genes=[known.genes[gene] for gene in hidden]).X
            truth = known.spots[:, hidden]
            depth = np.expm1(known.depth)
            found[fold] = np.stack([pcc(truth, predicted), pcc_depth(truth, predicted, depth=depth)], axis=1)
            features[fold] = _of_hidden(known, hidden)
    asked_for = _features(co_expression(known), *moments(known.asked))
    scores = [_line(features, score, asked_for) for score in found.T]
    return pd.DataFrame(dict(zip((keys.EXPECTED_PCC, keys.EXPECTED_PCC_DEPTH), scores, strict=True)), index=index)


def _of_hidden(known: Pairing, hidden: NDArray[np.intp]) -> Float[np.ndarray, "n_hidden n_features"]:
    z = z_scores(known.cells)
    others = np.setdiff1d(np.arange(len(known.genes)), hidden)
    cells = known.cells[:, hidden]
    return _features(z[:, hidden].T @ z[:, others] / len(z), cells.mean(axis=0), cells.std(axis=0))


def _features(
    together: Float[np.ndarray, "n n_genes"], mean: Float[np.ndarray, " n"], spread: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n n_features"]:
    nearest = np.sort(together, axis=1)[:, -_NEAREST:]
    return np.stack([nearest[:, -1], nearest.mean(axis=1), np.log(mean + 1e-3), np.log(spread + 1e-3)], axis=1)


def _line(
    features: Float[np.ndarray, "n n_features"],
    score: Float[np.ndarray, " n"],
    asked: Float[np.ndarray, "m n_features"],
) -> Float[np.ndarray, " m"]:
    """Regress scores on standardised features, with a penalty of one gene's weight, and read off those of others."""
    known = np.isfinite(score)
    if not known.any():
        return np.zeros(len(asked))
    centre, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-12, spread, 1)
    x, middle = ((features - centre) / spread)[known], score[known].mean()
    slope = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ (score[known] - middle))
    return np.clip(middle + ((asked - centre) / spread) @ slope, -1, 1)
