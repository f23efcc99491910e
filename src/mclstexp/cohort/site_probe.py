"""The site probe: whether features tell where a patient was treated, which can pass for prognosis."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from jaxtyping import Float
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeClassifierCV
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold

from mclstexp.core.cohort import Patients

_PER_SITE: Final = 10
_N_FOLDS: Final = 5
_COMPONENTS: Final = 50
COLUMNS: Final = ("sees", "n_sites", "n_patients", "accuracy", "largest_site", "balanced_accuracy", "chance")


def probe_sites(patients: Patients, *, seed: int = 0) -> pd.DataFrame:
    """Foretell the site of each patient from what models see, in five folds by patient.

    Sites of ten patients or more; mean tile features, pathway scores and genes, on 50 principal components, by a ridge
    classifier.

    Parameters
    ----------
    patients
        Whose.
    seed
        Of the folds.

    Returns
    -------
    A row for each part that is there: "accuracy" beside the share of the "largest_site", and "balanced_accuracy" (mean
    over sites) beside "chance". No row without sites.
    """
    rows = []
    for part, values in _parts(patients).items():
        if patients.sites is None:
            break
        site, known = np.array(patients.sites, object), np.isfinite(values).all(axis=1)
        sizes = pd.Series(site[known]).value_counts()
        kept = known & np.isin(site, sizes.index[sizes >= _PER_SITE])
        if len(set(site[kept])) < 2:
            continue
        said = _foretold(values[kept], site[kept], seed=seed)
        rows.append(
            {
                "sees": part,
                "n_sites": len(set(site[kept])),
                "n_patients": int(kept.sum()),
                "accuracy": float((said == site[kept]).mean()),
                "largest_site": float(sizes.iloc[0] / kept.sum()),
                "balanced_accuracy": float(balanced_accuracy_score(site[kept], said)),
                "chance": 1 / len(set(site[kept])),
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _parts(patients: Patients) -> dict[str, Float[np.ndarray, "n_patients n"]]:
    found = {}
    if patients.bags is not None:
        empty = np.full(patients.dim, np.nan)
        means = [
            empty if bag is None else sum(c.sum(axis=0, dtype=np.float64) for c in bag.chunks()) / bag.n_tiles
            for bag in patients.bags
        ]
        found["mean tile features"] = np.stack(means)
    for name, frame in (("pathway scores", patients.pathways), ("genes", patients.genes)):
        if frame is not None:
            found[name] = frame.to_numpy(np.float64)
    return found


def _foretold(values: Float[np.ndarray, "n p"], site: np.ndarray, *, seed: int) -> np.ndarray:
    said = np.empty(len(site), object)
    for train, test in StratifiedKFold(_N_FOLDS, shuffle=True, random_state=seed).split(values, site):
        mean, spread = values[train].mean(axis=0), values[train].std(axis=0)
        scaled = (values - mean) / np.where(spread > 0, spread, 1)
        pca = PCA(min(_COMPONENTS, len(train) - 1, values.shape[1]), random_state=seed).fit(scaled[train])
        model = RidgeClassifierCV(alphas=(1.0, 10.0, 100.0, 1000.0)).fit(pca.transform(scaled[train]), site[train])
        said[test] = model.predict(pca.transform(scaled[test]))
    return said
