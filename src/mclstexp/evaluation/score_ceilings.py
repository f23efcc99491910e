"""Noise ceilings in the table of scores: reliabilities are a section's, ceilings are all sections' together."""

from __future__ import annotations

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.pearson import PerGene
from mclstexp.evaluation.ceiling import ceiling_of, reliability
from mclstexp.evaluation.score_table import CEILINGS, RELIABILITIES, averaged, unit_means, usual_over


def reliabilities(counts: AnnData, *, log: ExpressionSpace, residual: ExpressionSpace) -> dict[str, PerGene]:
    """Return the reliabilities of a section for each question, by the metrics' names.

    Parameters
    ----------
    counts
        Raw counts of the spots that are scored.
    log, residual
        One panel on both scales.
    """
    return {
        "reliability": reliability(counts, space=log),
        "reliability_depth": reliability(counts, space=log, given_depth=True),
        "reliability_residual": reliability(counts, space=residual),
    }


def with_ceilings(scores: pd.DataFrame) -> pd.DataFrame:
    """Add the noise ceilings that the reliabilities of all sections say: each gene's mean, and its root.

    The root of each section's own would be the higher the noisier it is. A gene has one ceiling, which stands
    beside each section that has a truth of it. What the table said of ceilings before is replaced.

    Parameters
    ----------
    scores
        Rows of `evaluate`; those of `RELIABILITIES` are looked at. Without any nothing is changed.
    """
    rows = scores[scores["metric"].isin(list(RELIABILITIES))]
    if rows.empty:
        return scores
    others = scores[~scores["metric"].isin(list(CEILINGS.values()))]
    return pd.concat([others, *(_as_ceilings(some) for _, some in rows.groupby("metric", observed=True))])[
        list(scores.columns)
    ].reset_index(drop=True)


def _as_ceilings(rows: pd.DataFrame) -> pd.DataFrame:
    """Write each gene's ceiling over the reliabilities of one kind."""
    counted = averaged(rows)
    over = usual_over(rows)
    mean = unit_means(counted, over=over, per=("gene",)).groupby("gene", observed=True).mean()
    of_sections = counted.pivot(index="gene", columns=["fold", "section"], values="value").reindex(mean.index)
    ceiling = ceiling_of(mean.to_numpy(np.float64), of_sections.to_numpy(np.float64))
    value = pd.Series(ceiling, index=mean.index.astype(str)).reindex(rows["gene"].astype(str)).to_numpy()
    kind = RELIABILITIES[str(rows["metric"].iloc[0])]
    return rows.assign(metric=kind, value=np.where(rows["value"].notna(), value, np.nan))
