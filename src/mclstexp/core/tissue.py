"""`Tissue`: all that a method which finds domains sees of a section; labels are no part of it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from anndata import AnnData
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.names import require_distinct, require_names
from mclstexp.core.pairing import TARGET_SUM, log_shares
from mclstexp.core.panel import by_variability
from mclstexp.core.places import misplaced
from mclstexp.core.section import Section, as_counts

MOST_GENES: Final = 3000
"""Genes that are looked at, at most: the most variable ones, as published for stMMC."""
DETECTED: Final = 0.05
"""Share of the spots that must hold a count of a gene for it to be looked at, as in `panel.select_hvg`."""
MIN_SPOTS: Final = 10
MOST_EXPRESSION: Final = 1e6
"""Beyond every logarithm of a share and every residual."""


@dataclass(frozen=True, eq=False)
class Tissue:
    """Expression, places and looks of the spots of one section; a method is given nothing else."""

    expression: Float[np.ndarray, "n_spots n_genes"]
    """ln(1 + 10⁴ · share of the spot's counts), of shallow sections ln(1 + median count of a spot · share): a molecule
    of few would otherwise count as hundreds. Of a prediction its values on their own scale."""
    ranked: Int[np.ndarray, " n_genes"]
    """Columns of `expression`, the most variable gene first."""
    xy: Float[np.ndarray, "n_spots n_axes"] | None
    """Places, in µm where the scale is known; None where they are not."""
    features: Float[np.ndarray, "n_spots dim"] | None
    """Frozen features of the tiles; None of methods that do not look."""

    def __len__(self) -> int:
        return len(self.expression)

    def most_variable(self, n_genes: int) -> Float[np.ndarray, "n_spots n_chosen"]:
        """Return the expression of the most variable genes, in their own order."""
        return self.expression[:, np.sort(self.ranked[:n_genes])]

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some of the spots."""
        xy = None if self.xy is None else self.xy[rows]
        return type(self)(
            self.expression[rows], self.ranked, xy, None if self.features is None else self.features[rows]
        )


def see(
    of: Section | AnnData, *, features: Float[np.ndarray, "n_spots dim"] | None
) -> tuple[Tissue, Bool[np.ndarray, " n_spots"]]:
    """Take what may be seen out of a section, and say of which spots.

    Parameters
    ----------
    of
        A measured section, raw counts, or a prediction (``uns["mclstexp"]`` says so).
    features
        Frozen features of the spots' tiles, if the method looks.

    Returns
    -------
    The tissue, and which spots it holds: those with counts, or with a prediction.

    Raises
    ------
    InputError
        If values are no raw counts and no prediction, hardly any spot or gene has counts, places are not finite, or
        features do not fit.
    """
    counts, where = (of.counts, f"section {of.id}") if isinstance(of, Section) else (of, "the section")
    if features is not None:
        features = _checked(features, counts.n_obs)
    require_names(counts.var_names, of=f"genes of {where}")
    require_distinct(counts.obs_names, where=where)
    if not counts.var_names.is_unique:
        twice = counts.var_names[counts.var_names.duplicated()][0]
        msg = f"{where}: each gene once expected, found {twice!r} twice: rename or add up those columns"
        raise InputError(msg)
    predicted = not isinstance(of, Section) and is_prediction(counts)
    expression, ranked, kept = _predicted(counts) if predicted else _measured(counts, where)
    if kept.sum() < MIN_SPOTS:
        what = "a prediction" if predicted else "counts"
        msg = f"{where}: at least {MIN_SPOTS} spots with {what} expected, found {kept.sum()} of {len(kept)}"
        raise InputError(msg)
    if not kept.all():
        text = f"{where}: {(~kept).sum()} of {len(kept)} spots have no counts or no prediction: they get no domain"
        warnings.warn(text, stacklevel=4)
    xy = of.tiles.xy_um if isinstance(of, Section) else _places(counts, where)
    tissue = Tissue(expression, ranked, None if xy is None else xy[kept], None if features is None else features[kept])
    return tissue, kept


def is_prediction(counts: AnnData) -> bool:
    """Whether `X` holds expression, not counts, as a prediction, an imputation or an enhancement says of itself."""
    made = counts.uns.get(keys.PROVENANCE)
    return isinstance(made, Mapping) and "space" in made


def _measured(counts: AnnData, where: str) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.bool_]]:
    matrix = as_counts(counts.X, where=where).astype(np.float64)
    kept = np.asarray(matrix.sum(axis=1)).ravel() > 0
    matrix = matrix[kept]
    often = np.flatnonzero(np.diff(matrix.tocsc().indptr) >= max(1, DETECTED * matrix.shape[0]))
    if len(often) < 2:
        msg = f"{where}: two or more genes counted in {DETECTED:.0%} of the spots expected, found {len(often)}"
        raise InputError(msg)
    order = by_variability([matrix[:, often]], names=np.asarray(counts.var_names[often], str))[:MOST_GENES]
    columns = np.sort(often[order])
    ranked = np.searchsorted(columns, often[order])
    usual = min(TARGET_SUM, float(np.median(np.asarray(matrix.sum(axis=1)))))
    return log_shares(matrix, target_sum=usual)[:, columns].toarray().astype(np.float32), ranked, kept


def _predicted(predicted: AnnData) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.bool_]]:
    values = np.asarray(predicted.X.toarray() if hasattr(predicted.X, "toarray") else predicted.X)
    if values.ndim != 2 or values.dtype.kind not in "iuf" or values.shape[1] < 1:
        msg = f"the prediction: numbers for spots and genes expected in X, found {predicted.shape} of {values.dtype}"
        raise InputError(msg)
    kept = np.isfinite(values).all(axis=1)
    if kept.any() and (most := float(np.abs(values[kept]).max())) > MOST_EXPRESSION:
        msg = f"the prediction: expression on a log or residual scale expected, found {most:.3g}: predict it again"
        raise InputError(msg)
    values = values[kept]
    order = np.argsort(-values.var(axis=0, dtype=np.float64), kind="stable")
    if len(order) > MOST_GENES:
        columns = np.sort(order[:MOST_GENES])
        values, order = values[:, columns], np.searchsorted(columns, order[:MOST_GENES])
    return values.astype(np.float32, copy=False), order, kept


def _places(counts: AnnData, where: str) -> NDArray[np.float64] | None:
    if keys.SPATIAL not in counts.obsm:
        return None
    found = np.asarray(counts.obsm[keys.SPATIAL])
    xy = found.astype(np.float64) if found.dtype.kind in "iufb" else np.full((1, 1), np.nan)
    if xy.ndim != 2 or xy.shape[1] < 2 or misplaced(xy).any():
        msg = f'{where}: finite places expected in obsm["{keys.SPATIAL}"], found others: drop those spots'
        raise InputError(msg)
    return xy


def _checked(features: NDArray[Any], n_spots: int) -> NDArray[np.float64]:
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) != n_spots or not np.isfinite(features).all():
        msg = (
            f"features: a finite row for each of the {n_spots} spots expected, found shape {features.shape}: "
            "give embed_tiles(section.tiles, encoder)"
        )
        raise InputError(msg)
    return features
