"""Generation on made-up sections: what a method of it is checked on."""

from __future__ import annotations

from dataclasses import replace

import anndata as ad
import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp._version import __version__
from mclstexp.core import keys
from mclstexp.core.generator import Generator
from mclstexp.core.method import options
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.trial import Trial, with_values
from mclstexp.io.synthetic import make_sections

_N_ASKED = 3
_N_PIXELS = 24


def make_trial() -> Trial:
    """Ask for three tiles, from the tiles of a made-up section whose counts are hidden."""
    section, other = make_sections(2, n_spots_side=4, n_genes=12, mpp=4.0, spec=TileSpec(32, 4.0), seed=1)
    counts, matrix = section.counts, section.counts.X.toarray()
    noise = np.random.default_rng(0).poisson(7, matrix.shape)
    places = [f"tile {number}" for number in range(_N_ASKED)]
    pixels = [f"pixel {number}" for number in range(_N_PIXELS)]

    def ask(method: Generator, counts: AnnData) -> AnnData:
        method.fit([replace(section, counts=counts)])
        features = method.look(other.tiles.take(np.arange(_N_ASKED)))
        pictures = method.generate(features).reshape(_N_ASKED, -1).astype(np.float32)
        return ad.AnnData(
            pictures[:, :: pictures.shape[1] // _N_PIXELS][:, :_N_PIXELS],
            obs=pd.DataFrame({keys.SECTION: other.id}, index=pd.Index(places, dtype=object)),
            var=pd.DataFrame(index=pd.Index(pixels, dtype=object)),
            uns={
                keys.PROVENANCE: {
                    "question": "generation",
                    "method": method.name,
                    "version": __version__,
                    "options": {name: repr(value) for name, value in options(method).items()},
                    "numerics": method._numerics(),
                }
            },
        )

    return Trial(
        ask=ask,
        given=(counts,),
        hidden={
            "counts replaced by random numbers": (with_values(counts, noise),),
            "counts set to zero": (with_values(counts, np.zeros_like(matrix)),),
        },
        rows=places,
        columns=pixels,
    )
