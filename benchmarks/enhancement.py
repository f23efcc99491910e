"""What lies between spots, told by spots that were hidden from everything: the tables of docs/enhance.md.

Run `python benchmarks/enhancement.py DATA [--sections B1 C3 …] [--hide between random areas]`, with DATA the folder
that holds her2st/. A section without an image is judged by methods that do not look. Scores are means over 600 genes
that a tenth of the spots have counts of (drawn, by seed), over all turns, on hidden spots alone.
`python benchmarks/enhancement.py --time` measures instead kriging of 1,000 genes at the places between 4,000 spots.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.enhancement import create_enhancer, list_enhancers
from mclstexp.enhancement.hidden import score_hidden
from mclstexp.io.read import read_sections
from mclstexp.io.slides import ArraySlide
from mclstexp.io.tables import read_st_counts

PITCH_UM = 200.0
N_GENES, SHARE = 600, 0.1
BLANK = np.full((8, 8, 3), 255, np.uint8)


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


def table(section: Section, labels: list[str], *, hide: str, seeds: int) -> pd.DataFrame:
    """Mean scores of each method over draws of genes."""
    often = np.flatnonzero(np.diff(section.counts.X.tocsc().indptr) > SHARE * len(section))
    scores = []
    for seed in range(seeds):
        drawn = np.random.default_rng(seed).permutation(often)[:N_GENES]
        genes = list(section.counts.var_names[drawn])
        methods = {label: create_enhancer(label) for label in labels}
        found = score_hidden(section, methods, hide=hide, genes=genes, seed=seed)
        scores.append(found.groupby("method")[["pcc", "pcc_depth"]].mean())
    return pd.concat(scores).groupby(level=0).mean().sort_values("pcc").round(3)


def timed(n_side: int = 63, n_genes: int = 1000) -> None:
    """Krige a made-up Visium section."""
    rng = np.random.default_rng(0)
    row, step = (axis.ravel() for axis in np.mgrid[:n_side, :n_side])
    array_xy = np.column_stack([2 * step + row % 2, row]).astype(float)
    rate = np.exp(rng.normal(size=(1, n_genes)) + np.sin(array_xy[:, :1] / rng.uniform(5, 30, (1, n_genes))))
    names = [f"{y}x{x}" for x, y in array_xy]
    counts = AnnData(rng.poisson(rate).astype(np.float32), obs=pd.DataFrame(index=names))
    section = blank_section("made", counts, array_xy * [0.25, 0.433])
    section = Section("made", None, Tiles(**{**vars(section.tiles), "array_xy": array_xy}), section.counts)
    begun = time.perf_counter()
    enhanced = create_enhancer("kriging").enhance(section)
    seconds, peak = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{len(section)} spots, {enhanced.n_obs} places, {enhanced.n_vars} genes: {seconds:.0f} s, {peak:.1f} GiB")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--sections", nargs="+", default=["B1", "C3"])
    parser.add_argument("--hide", nargs="+", default=["between", "random", "areas"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--time", action="store_true")
    given = parser.parse_args()
    if given.time:
        timed()
        return
    for name in given.sections:
        try:
            section = read_sections(given.data / "her2st", sections=[name])[0]
            labels = list(list_enhancers())
        except InputError:
            section = without_image(given.data / "her2st", name)
            labels = [label for label in list_enhancers() if label != "image_kriging"]
        for hide in given.hide:
            print(f"\n{name}, {len(section)} spots, hidden {hide}")
            print(table(section, labels, hide=hide, seeds=given.seeds).to_string(), flush=True)


if __name__ == "__main__":
    main()
