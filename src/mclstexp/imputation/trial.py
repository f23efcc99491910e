"""Imputation on made-up sections: what a method of it is checked on."""

from __future__ import annotations

import numpy as np
from anndata import AnnData

from mclstexp.core import keys
from mclstexp.core.imputer import Imputer
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.trial import Trial, with_values
from mclstexp.io.synthetic import make_sections

_HIDDEN_EVERY = 4


def make_trial() -> Trial:
    """Ask for every fourth gene of a made-up section, from the spots of another."""
    section, other = make_sections(2, n_spots_side=8, n_genes=40, mpp=4.0, spec=TileSpec(32, 4.0), seed=1)
    counts, reference = section.counts, other.counts
    genes = list(counts.var_names[::_HIDDEN_EVERY])
    hidden, matrix = counts.var_names.isin(genes), counts.X.toarray()
    noise = np.random.default_rng(0).poisson(7, matrix.shape)
    noisy, empty = (with_values(counts, np.where(hidden, instead, matrix)) for instead in (noise, 0))
    without = counts[:, ~hidden].copy()

    def ask(method: Imputer, counts: AnnData, reference: AnnData) -> AnnData:
        imputed = method.impute(counts, reference, genes=genes)
        imputed.obs[keys.SECTION] = section.id  # as `api.impute` names it
        return imputed

    return Trial(
        ask=ask,
        given=(counts, reference),
        hidden={
            "hidden genes replaced by random numbers": (noisy, reference),
            "hidden genes set to zero": (empty, reference),
            "hidden genes taken away": (without, reference),
        },
        rows=list(counts.obs_names),
        columns=genes,
    )
