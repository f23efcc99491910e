"""Domains of a made-up section: what a method that finds them is checked on."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.core import keys
from mclstexp.core.domain_finder import DomainFinder
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.trial import Trial
from mclstexp.io.synthetic import make_sections

_N_DOMAINS = 3


def make_trial() -> Trial:
    """Ask for three domains of a made-up section, whose labels are hidden."""
    (section,) = make_sections(1, n_spots_side=9, n_genes=24, mpp=4.0, spec=TileSpec(32, 4.0), seed=1)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(len(section), 6))
    counts = section.counts.copy()
    counts.obs[keys.LABEL] = np.array(["a", "b"])[(section.tiles.xy[:, 0] > np.median(section.tiles.xy[:, 0])) * 1]
    random, without = counts.copy(), counts.copy()
    random.obs[keys.LABEL] = rng.choice(["a", "b", "c", "d", "e"], len(section))
    del without.obs[keys.LABEL]

    def ask(method: DomainFinder, counts: AnnData) -> AnnData:
        found = method.find(counts, n_domains=_N_DOMAINS, features=features)
        codes = found.obs[keys.DOMAIN].cat.codes.to_numpy(np.float32)
        return ad.AnnData(
            codes[:, None],
            obs=found.obs[[keys.SECTION]],
            var=pd.DataFrame(index=pd.Index([keys.DOMAIN], dtype=object)),
            layers={keys.EMBEDDING: found.obsm[keys.EMBEDDING][:, :1]},
            uns={keys.PROVENANCE: found.uns[keys.PROVENANCE]},
        )

    return Trial(
        ask=ask,
        given=(counts,),
        hidden={"labels replaced by random ones": (random,), "labels taken away": (without,)},
        rows=list(counts.obs_names),
        columns=[keys.DOMAIN],
    )
