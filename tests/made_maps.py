"""A made-up section of smooth maps."""

import numpy as np
from anndata import AnnData

from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.slides import ArraySlide

SIDE, GENES = 14, 12


def made_maps(seed=0, *, permuted=False):
    """Smooth maps of several genes under Poisson noise, on tissue that looks like the first of them."""
    rng = np.random.default_rng(seed)
    y, x = (axis.ravel() for axis in np.mgrid[:SIDE, :SIDE])
    phases = rng.uniform(0, 2 * np.pi, (GENES, 2))
    maps = np.stack([np.sin(2 * np.pi * x / 9 + a) + np.cos(2 * np.pi * y / 11 + b) for a, b in phases], axis=1)
    look = np.kron(np.clip(120 + 50 * maps[:, 0].reshape(SIDE, SIDE), 0, 255), np.ones((10, 10)))
    if permuted:
        maps = maps[rng.permutation(len(maps))]
    counts = rng.poisson(20 * np.exp(maps))
    array_xy = np.column_stack([x, y]).astype(float)
    slide = ArraySlide(np.repeat(look.astype(np.uint8)[..., None], 3, axis=2), mpp=10.0, id="made")
    ids = np.array([f"{a}x{b}" for a, b in zip(x, y, strict=True)])
    tiles = Tiles(slide=slide, xy=10 * array_xy + 5, ids=ids, spec=TileSpec(32, 3.0), array_xy=array_xy)
    genes = [f"G{i}" for i in range(GENES)]
    section = AnnData(counts.astype(np.float32))
    section.obs_names, section.var_names = ids, genes
    return Section("made", "p", tiles, section)
