"""What was predicted within each kind of tile, or each domain, of a slide: a row for each slide and group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.cohort.bridge.groups import Groups
from mclstexp.cohort.bridge.origin import Trusted
from mclstexp.cohort.bridge.predicted import Predicted, predictions_in, read_groups, require_one_model
from mclstexp.cohort.bridge.summary import ExpressionSummary, counting, origin_of_first, scored
from mclstexp.core.errors import InputError
from mclstexp.core.progress import step

LEAST_TILES: Final = 1.0
"""Tiles that a group of a slide must have, or it has no row."""


def summarise_within(
    predictions: AnnData | Path | str | Iterable[AnnData | Path | str],
    groups: Groups,
    *,
    trusted: Trusted = "predictable",
    gene_sets: Mapping[str, Sequence[str]] | None = None,
) -> ExpressionSummary:
    """Average predictions within groups of tiles; expression is never held for more than some tiles.

    Parameters
    ----------
    predictions, trusted, gene_sets
        As for `bridge.summary.summarise_predictions`.
    groups
        Which tiles belong together; a tile may be in several in part.

    Returns
    -------
    A row for each slide and group, by both names; ``n_tiles`` counts parts of tiles, too.

    Raises
    ------
    InputError
        As `bridge.summary.summarise_predictions`, or if a slide's groups cannot be told.
    """
    listed = predictions_in(predictions)
    rows: dict[tuple[str, str], np.ndarray] = {}
    n_tiles: dict[tuple[str, str], float] = {}
    first: Predicted | None = None
    for number, one in enumerate(listed, 1):
        step(f"Reading prediction {number} of {len(listed)}")
        found, names, totals, weights = read_groups(one, groups)
        if first is None:
            first, kept = found, counting(found, trusted)
        require_one_model(first, found)
        if any(slide == found.slide for slide, _ in rows):
            msg = f"one prediction of each slide expected, found another of {found.slide!r} in {found.where}: drop one"
            raise InputError(msg)
        for name, total, weight in zip(names, totals, weights, strict=True):
            if weight >= LEAST_TILES:
                rows[found.slide, name] = total[kept] / weight
                n_tiles[found.slide, name] = float(weight)
    assert first is not None
    index = pd.MultiIndex.from_tuples(list(rows), names=["slide", groups.kind])
    genes = pd.DataFrame(np.stack(list(rows.values())), index=index, columns=first.var.index[kept].astype(object))
    scores: pd.DataFrame | None = None
    carried_by: dict[str, tuple[str, ...]] = {}
    if gene_sets is not None:
        scores, carried_by = scored(genes, first.var[kept], gene_sets, where=first.where)
    return ExpressionSummary(
        genes=genes,
        n_tiles=pd.Series(list(n_tiles.values()), index=index, name="n_tiles"),
        slides={slide: (slide,) for slide, _ in rows},
        origin=origin_of_first(first, trusted, n_genes=int(kept.sum())),
        pathways=scores,
        carried_by=carried_by,
    )
