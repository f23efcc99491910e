"""What a prediction knows of its genes: whether they can be predicted, and what training held of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import anndata as ad
import numpy as np
import pandas as pd
from jaxtyping import Float

from mclstexp.analysis.gene_ranking import VERDICTS
from mclstexp.core import keys

_NUMBERS: Final = {"tested_pcc": keys.TESTED_PCC, "ceiling": keys.CEILING, "share": keys.CEILING_SHARE}
_TRAINING: Final = (keys.TRAINING_LOW, keys.TRAINING_HIGH)


@dataclass(frozen=True, eq=False)
class KnownGenes:
    """What a test of the model says of each gene of a prediction, as far as the prediction carries it."""

    verdicts: tuple[str, ...]
    """One of `VERDICTS` for each gene, or "" for one that was not tested."""
    scores: dict[str, Float[np.ndarray, " n_genes"]]
    """PCC, ceiling and share of it that is reached; NaN where not tested."""
    training: Float[np.ndarray, "n_genes 2"]
    """Where 98 % of the training values lie, on the prediction's scale; NaN where not known."""
    tested_on: tuple[str, ...]
    """The patients whose sections the test predicted."""
    method: str
    """What was tested."""

    @classmethod
    def of(cls, predicted: ad.AnnData) -> KnownGenes:
        """Read it from a prediction; what is not there, or no number, is not known."""
        var = predicted.var
        said = [*map(str, var[keys.VERDICT])] if keys.VERDICT in var else [""] * len(var)
        test = predicted.uns[keys.PROVENANCE].get(keys.VERDICTS)
        test = test if isinstance(test, dict) else {}
        return cls(
            verdicts=tuple(verdict if verdict in VERDICTS else "" for verdict in said),
            scores={name: _numbers(var, column) for name, column in _NUMBERS.items()},
            training=np.column_stack([_numbers(var, name) for name in _TRAINING]),
            tested_on=tuple(map(str, np.atleast_1d(test.get("tested_on", [])))),
            method=str(test.get("method", "")),
        )

    def limits(self, gene: int) -> tuple[float, float] | None:
        """Return the range of a gene in training; None where it is not known, or no range."""
        low, high = map(float, self.training[gene])
        return (low, high) if low < high else None

    def describe(self) -> dict[str, Any] | None:
        """Return the test as JSON takes it, None for a number that is missing; None where nothing was tested."""
        if not any(self.verdicts):
            return None
        scores = {name: [_or_none(value) for value in values] for name, values in self.scores.items()}
        return {"verdict": self.verdicts, **scores, "tested_on": self.tested_on, "method": self.method}


def _numbers(var: pd.DataFrame, name: str) -> Float[np.ndarray, " n_genes"]:
    if name not in var:
        return np.full(len(var), np.nan)
    values = pd.to_numeric(var[name], errors="coerce").to_numpy(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
