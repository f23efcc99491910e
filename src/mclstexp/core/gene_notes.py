"""What a model says of each gene: whether it was imputed, how well it is predicted, how it varied in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from mclstexp.core import keys
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.section import Section

RANGE: Final = (0.01, 0.99)
"""Quantiles over training spots between which colours are spread."""
_MOST_SPOTS: Final = 4096
_TESTED: Final = (keys.TESTED_PCC, keys.CEILING, keys.CEILING_SHARE)


def training_range(sections: Sequence[Section], space: ExpressionSpace) -> dict[str, list[float]]:
    """Return the `RANGE` of each gene over training spots, on the scale of the predictions.

    Of many spots some thousands are looked at, evenly spaced, so that it takes little of a fit.
    """
    step = max(1, -(-sum(map(len, sections)) // _MOST_SPOTS)) if space.axis == "spot" else 1
    values = np.concatenate([space(section.counts[::step]) for section in sections])
    low, high = np.quantile(values, RANGE, axis=0)
    return {keys.TRAINING_LOW: _plain(low), keys.TRAINING_HIGH: _plain(high)}


def var_of(space: ExpressionSpace, provenance: Mapping[str, Any]) -> pd.DataFrame:
    """Return what predictions say of each gene, as the columns of their `var`."""
    var, genes = space.var(), list(space.genes)
    for name, values in provenance.get(keys.TRAINING_RANGE, {}).items():
        var[name] = pd.Series(values, index=genes, dtype=float)
    imputed = provenance.get(keys.IMPUTED)
    if imputed is not None:
        expected = pd.Series(imputed[keys.EXPECTED_PCC], index=imputed["genes"], dtype=float)
        var[keys.IMPUTED] = var.index.isin(imputed["genes"])
        var[keys.EXPECTED_PCC] = expected.reindex(var.index)
    verdicts = provenance.get(keys.VERDICTS)
    if verdicts is not None:
        said = pd.Series(verdicts[keys.VERDICT], index=verdicts["genes"], dtype=object)
        var[keys.VERDICT] = said.reindex(var.index).fillna("")
        for name in _TESTED:
            var[name] = pd.Series(verdicts[name], index=verdicts["genes"], dtype=float).reindex(var.index)
    return var


def said_of_all(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a prediction's record says of its genes together; what is said of each stands in `var`."""
    each = {"genes", keys.VERDICT, *_TESTED, keys.EXPECTED_PCC}
    return {
        name: {part: value for part, value in provenance[name].items() if part not in each}
        for name in (keys.IMPUTED, keys.VERDICTS)
        if name in provenance
    }


def _plain(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
