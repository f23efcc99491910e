"""Enhancement on a made-up section: what a method of it is checked on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from anndata import AnnData

from mclstexp.core.enhancer import Enhancer
from mclstexp.core.tiles import TileSpec
from mclstexp.enhancement.hidden import ask_hidden, hidden_spots
from mclstexp.evaluation.trial import Trial, with_values
from mclstexp.io.synthetic import make_sections


def make_trial() -> Trial:
    """Ask for a quarter of the spots of a made-up section, drawn, from the others."""
    (section,) = make_sections(1, n_spots_side=9, n_genes=12, mpp=4.0, spec=TileSpec(32, 4.0), seed=1)
    hidden = hidden_spots(section, hide="random")[0]
    counts, matrix = section.counts, section.counts.X.toarray()
    noise = np.random.default_rng(0).poisson(50, matrix.shape)
    genes = list(counts.var_names)

    def ask(method: Enhancer, counts: AnnData) -> AnnData:
        given = replace(section, counts=counts).take(~hidden)
        return ask_hidden(method, given, section.tiles.take(hidden), genes=genes)

    at = hidden[:, None]
    return Trial(
        ask=ask,
        given=(counts,),
        hidden={
            "hidden spots replaced by random numbers": (with_values(counts, np.where(at, noise, matrix)),),
            "hidden spots set to zero": (with_values(counts, np.where(at, 0, matrix)),),
        },
        rows=list(section.tiles.ids[hidden]),
        columns=genes,
    )
