"""A section of three bands whose genes differ, and of what its tiles look like."""

import numpy as np
from anndata import AnnData

from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.slides import ArraySlide

SIDE = 15
PITCH_UM = 100.0


def made_bands(*, side=SIDE, n_genes=60, n_marked=24, seed=0):
    """Counts of three vertical bands; a third of the marked genes is one nat higher in each. Labels in obs."""
    rng = np.random.default_rng(seed)
    x, y = np.array([(x, y) for y in range(side) for x in range(side)], float).T
    band = (x * 3 // side).astype(int)
    log_rate = np.tile(rng.normal(1.5, 0.5, n_genes), (len(x), 1))
    for marked in range(n_marked):
        log_rate[band == marked % 3, marked] += 1
    counts = AnnData(rng.poisson(np.exp(log_rate)).astype(np.float32))
    counts.obs_names = [f"{a:g}x{b:g}" for a, b in zip(x, y, strict=True)]
    counts.var_names = [f"G{i}" for i in range(n_genes)]
    counts.obs["label"] = np.array(["left", "middle", "right"])[band]
    array_xy = np.column_stack([x, y])
    look = np.kron(60 + 60 * band.reshape(side, side), np.ones((10, 10))).astype(np.uint8)
    slide = ArraySlide(np.repeat(look[..., None], 3, axis=2), mpp=PITCH_UM / 10, id="bands")
    ids = np.asarray(counts.obs_names, str)
    tiles = Tiles(slide=slide, xy=10 * array_xy + 5, ids=ids, spec=TileSpec(32, 3.0), array_xy=array_xy)
    return Section("bands", "p", tiles, counts)


def looks_of(section, *, seed=0, noise=0.3):
    """Features that say which band a tile lies in, under noise."""
    label = section.counts.obs["label"].to_numpy()
    known = (label[:, None] == np.unique(label)).astype(float)
    return known + noise * np.random.default_rng(seed).normal(size=known.shape)
