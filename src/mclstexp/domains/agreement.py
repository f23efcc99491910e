"""What a person called each spot, and how domains agree with it."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData
from sklearn.metrics import adjusted_rand_score, homogeneity_score, normalized_mutual_info_score

from mclstexp.core import keys

UNLABELLED: Final = ("undetermined", "nan", "")
"""What a pathologist's table says where it says nothing; such spots are left out."""


def annotated(counts: AnnData) -> pd.Series | None:
    """Return what a pathologist or anatomist called each spot, NaN where undetermined, or None without labels."""
    return None if keys.LABEL not in counts.obs else clean_labels(counts.obs[keys.LABEL])


def clean_labels(given: pd.Series) -> pd.Series | None:
    """Return labels with NaN where they say nothing, or None where all do."""
    labels = given.astype(object)
    labels = labels.where(labels.notna() & ~labels.astype(str).str.strip().isin(UNLABELLED))
    return labels if labels.notna().any() else None


def agree(domains: pd.Categorical, reference: pd.Categorical) -> dict[str, Any]:
    """Compare two divisions over the spots that both divide.

    Returns
    -------
    "n_domains", "n_against" (groups of each), "n_spots", "ari" (adjusted Rand index: 0 by chance, 1 for the same
    groups), "nmi" (normalised mutual information, arithmetic mean; above 0 even by chance) and "homogeneity" (1 where
    no domain holds spots of two groups of the reference; more domains always have more of it).
    """
    both = (domains.codes >= 0) & (reference.codes >= 0)
    a, b = domains.codes[both], reference.codes[both]
    return {
        "n_domains": len(np.unique(a)),
        "n_against": len(np.unique(b)),
        "n_spots": int(both.sum()),
        "ari": adjusted_rand_score(b, a),
        "nmi": normalized_mutual_info_score(b, a),
        "homogeneity": homogeneity_score(b, a),
    }
