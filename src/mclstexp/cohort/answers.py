"""A model's answer on a fold as it is kept, and as a table with a row for each patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import anndata as ad
import numpy as np
import pandas as pd

from mclstexp.cohort.folds import OutcomeFold
from mclstexp.cohort.table import Cohort
from mclstexp.core import keys
from mclstexp.core.outcome_prediction import Prediction

_SURVIVAL: Final = "survival"


def as_anndata(said: Prediction, *, of: str, about: dict[str, Any]) -> ad.AnnData:
    """Lay an answer of a cohort out as an AnnData (n_patients, 0): "risk", "high", "value" in obs, survival in obsm."""
    obs = pd.DataFrame({"risk": said.risk, "high": said.high.astype(np.int64)}, index=pd.Index(said.ids, dtype=object))
    obs[keys.SECTION] = of
    if said.value is not None:
        obs["value"] = said.value
    found = ad.AnnData(obs=obs, uns={keys.PROVENANCE: {**about, "at_months": np.array(said.at_months, np.float64)}})
    if said.survival is not None:
        found.obsm[_SURVIVAL] = said.survival
    return found


def answer_rows(
    kept: ad.AnnData, cohort: Cohort, fold: OutcomeFold, *, label: str, horizons: Sequence[float]
) -> pd.DataFrame:
    """Return a row for each test patient: whose, by which model, what it said, and what came."""
    ids = list(kept.obs_names)
    known = cohort.known.subset(ids)
    rows = pd.DataFrame({"patient": ids, "repeat": fold.repeat, "fold": fold.name, "method": label})
    if cohort.patients.sites is not None:
        site = dict(zip(cohort.patients.ids, cohort.patients.sites, strict=True))
        rows.insert(1, "site", [site[name] for name in ids])
    rows["risk"] = kept.obs["risk"].to_numpy(np.float64)
    rows["group"] = np.where(kept.obs["high"].to_numpy() > 0, "high", "low")
    if "value" in kept.obs:
        rows["value"] = kept.obs["value"].to_numpy(np.float64)
    if _SURVIVAL in kept.obsm:
        at = np.asarray(kept.uns[keys.PROVENANCE]["at_months"])
        for u in horizons:
            rows[f"survival_{u:g}"] = np.asarray(kept.obsm[_SURVIVAL])[:, np.flatnonzero(at == u)[0]]
    if known.time is not None and known.event is not None:
        return rows.assign(time_months=known.time, event=known.event.astype(int))
    return rows.assign(truth=known.value)
