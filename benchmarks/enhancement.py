"""What lies between spots, told by spots that were hidden from everything: the tables of docs/enhance.md.

Run `python benchmarks/enhancement.py DATA [--sections B1 C3 …] [--hide between random areas] [--methods kriging …]`,
with DATA the folder that holds her2st/ and mouse_colon_visium/. A section without an image is judged by methods that do
not look. "colon" is the Visium section of mouse colon, "made" a made-up one of --spots and 1,000 genes; neither is
looked at. Scores are means over 600 genes that a tenth of the spots have counts of (drawn, by seed), over all turns, on
hidden spots alone.
`python benchmarks/enhancement.py --time METHOD [--spots 3969]` measures instead a method on 1,000 genes at the places
between the spots of a made-up Visium section, whose slide is noise.
"""

import argparse
import resource
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy.spatial import cKDTree

from mclstexp.core.enhancer import ROOM, Enhancer
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.enhancement import create_enhancer, list_enhancers
from mclstexp.enhancement.hidden import score_hidden
from mclstexp.io.counts_alone import read_counts
from mclstexp.io.read import read_sections
from mclstexp.io.slides import ArraySlide
from mclstexp.io.tables import read_st_counts

PITCH_UM = 200.0
N_GENES, SHARE = 600, 0.1
BLANK = np.full((8, 8, 3), 255, np.uint8)
LOOKING = ("image_kriging", "image")
FURTHER = {
    "stentrans (published)": partial(ROOM.create, "stentrans", preset="published"),
    "image (mclstexp)": partial(create_enhancer, "image", method="mclstexp"),
}
"""Methods with options of their own; those that the room lists stand as they are."""


def without_image(folder: Path, name: str) -> Section:
    """Read a section of her2st by its counts and its array alone."""
    counts = read_st_counts(folder / "data" / "ST-cnts" / f"{name}.tsv.gz")
    spots = pd.read_csv(folder / "data" / "ST-spotfiles" / f"{name}_selection.tsv", sep="\t")
    spots.index = spots["x"].astype(str) + "x" + spots["y"].astype(str)
    ids = [spot for spot in counts.obs_names if spot in spots.index]
    return blank_section(name, counts[ids].copy(), spots.loc[ids, ["x", "y"]].to_numpy(float))


def blank_section(name: str, counts: AnnData, array_xy: np.ndarray) -> Section:
    """Lay counts onto a slide on which nothing is seen."""
    slide = ArraySlide(BLANK, mpp=1.0, id=name)
    ids = np.asarray(counts.obs_names, str)
    tiles = Tiles(slide=slide, xy=array_xy * PITCH_UM, ids=ids, spec=TileSpec(), array_xy=array_xy)
    return Section(name, None, tiles, counts)


def make(label: str) -> Enhancer:
    """Make a method of the room, or one of `FURTHER`."""
    return FURTHER[label]() if label in FURTHER else create_enhancer(label)


def table(section: Section, labels: list[str], *, hide: str, seeds: int, turns: int | None) -> pd.DataFrame:
    """Mean scores of each method over draws of genes."""
    often = np.flatnonzero(np.diff(section.counts.X.tocsc().indptr) > SHARE * len(section))
    scores = []
    for seed in range(seeds):
        drawn = np.random.default_rng(seed).permutation(often)[:N_GENES]
        genes = list(section.counts.var_names[drawn])
        methods = {label: make(label) for label in labels}
        found = score_hidden(section, methods, hide=hide, genes=genes, turns=turns, seed=seed)
        scores.append(found.groupby("method")[["pcc", "pcc_depth"]].mean())
    return pd.concat(scores).groupby(level=0).mean().sort_values("pcc").round(3)


def made_section(n_spots: int, n_genes: int = 1000) -> Section:
    """Make up a Visium section whose genes rise and fall along one axis, each over a length of its own."""
    rng, n_side = np.random.default_rng(0), round(n_spots**0.5)
    row, step = (axis.ravel() for axis in np.mgrid[:n_side, :n_side])
    array_xy = np.column_stack([2 * step + row % 2, row]).astype(float)
    rate = np.exp(rng.normal(size=(1, n_genes)) + np.sin(array_xy[:, :1] / rng.uniform(5, 30, (1, n_genes))))
    names = np.array([f"{y:g}x{x:g}" for x, y in array_xy])
    counts = AnnData(rng.poisson(rate).astype(np.float32), obs=pd.DataFrame(index=names))
    slide = ArraySlide(rng.integers(0, 256, (n_side * 44, n_side * 50 + 50, 3), np.uint8), mpp=2.0, id="made")
    tiles = Tiles(slide=slide, xy=25 + array_xy * [25, 43.3], ids=names, spec=TileSpec(), array_xy=array_xy)
    return Section("made", None, tiles, counts)


def colon(folder: Path) -> Section:
    """Read the Visium section of mouse colon; its array is told from where its spots lie."""
    counts = read_counts(folder / "section1.h5ad", what="the section")
    xy = np.asarray(counts.obsm["spatial"], float)
    one, other = cKDTree(xy).query_pairs(1.3 * np.median(cKDTree(xy).query(xy, k=2)[0][:, 1]), output_type="ndarray").T
    apart = np.concatenate([xy[other] - xy[one], xy[one] - xy[other]])
    angle = np.degrees(np.arctan2(apart[:, 1], apart[:, 0]))
    basis = np.stack([apart[np.abs(angle - towards) < 20].mean(axis=0) for towards in (0, 60)])
    along, row = np.rint((xy - xy[0]) @ np.linalg.inv(basis)).T
    array_xy = np.column_stack([2 * along + row, row])
    array_xy -= 2 * np.floor(array_xy.min(axis=0) / 2)
    tiles = Tiles(
        slide=ArraySlide(BLANK, mpp=1.0, id="colon"), xy=xy, ids=np.asarray(counts.obs_names, str), spec=TileSpec(),
        array_xy=array_xy,
    )  # fmt: skip
    return Section("colon", None, tiles, counts)


def timed(label: str, n_spots: int) -> None:
    """Enhance a made-up Visium section."""
    section = made_section(n_spots)
    begun = time.perf_counter()
    enhanced = make(label).enhance(section)
    seconds, peak = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{label}: {len(section)} spots, {enhanced.n_obs} places, {enhanced.n_vars} genes: ", end="")
    print(f"{seconds:.0f} s ({time.process_time():.0f} s of processor time), {peak:.1f} GiB")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--sections", nargs="+", default=["B1", "C3"])
    parser.add_argument("--hide", nargs="+", default=["between", "random", "areas"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--turns", type=int)
    parser.add_argument("--methods", nargs="+", default=[*list_enhancers(), *FURTHER])
    parser.add_argument("--time", metavar="METHOD")
    parser.add_argument("--spots", type=int, default=3969)
    given = parser.parse_args()
    if given.time:
        timed(given.time, given.spots)
        return
    for name in given.sections:
        if looking := name not in ("made", "colon"):
            try:
                section = read_sections(given.data / "her2st", sections=[name])[0]
            except InputError:
                section, looking = without_image(given.data / "her2st", name), False
        else:
            section = made_section(given.spots) if name == "made" else colon(given.data / "mouse_colon_visium")
        labels = [label for label in given.methods if looking or label.split()[0] not in LOOKING]
        for hide in given.hide:
            print(f"\n{name}, {len(section)} spots, hidden {hide}")
            print(table(section, labels, hide=hide, seeds=given.seeds, turns=given.turns).to_string(), flush=True)


if __name__ == "__main__":
    main()
