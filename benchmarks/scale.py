"""Time and memory of everything that grows with a section's places: the table of docs/scale.md.

Run `python benchmarks/scale.py [--spots 5000 20000 100000] [--only MEASURE …]`. The section is made here: square bins
of 8 µm on round tissue, 18,000 genes, about 200 counts a bin, and a prediction for the panel of 1,000 genes. Each
measure runs in a process of its own, whose peak memory (resident, data and libraries included) is printed beside the
seconds on the clock and of processors. `python benchmarks/scale.py --chance [--spots 20000]` measures instead how often
the null of large sections calls unrelated smooth maps significant.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData, read_h5ad
from scipy import fft, sparse

BIN_UM, MPP, N_GENES, N_PANEL, DEPTH, DIM = 8.0, 4.0, 18_000, 1000, 200, 1024
SPACE = {"target_sum": 1e4, "log_base": 10.0, "axis": "spot"}


def cells(n: int) -> np.ndarray:
    """(n, 2) columns and rows of the bins nearest to the middle: round tissue, with some holes in it."""
    side = int(np.ceil(np.sqrt(1.5 * n)))
    column, row = (axis.ravel() for axis in np.mgrid[:side, :side])
    holes = sum(
        np.hypot(column - side * x, row - side * y) < 0.03 * side for x, y in ((0.3, 0.4), (0.6, 0.6), (0.5, 0.2))
    )
    off = np.hypot(column - side / 2, row - side / 2) + np.where(holes, side, 0)
    kept = np.sort(np.argsort(off, kind="stable")[:n])
    return np.column_stack([column, row])[kept].astype(float)


def field(
    cell: np.ndarray, length: float, rng: np.random.Generator, *, n: int = 1, gaussian: bool = True
) -> np.ndarray:
    """(n_cells, n) stationary Gaussian random maps, correlated over `length` cells."""
    side = int(cell.max()) + 1
    m = fft.next_fast_len(side + int(3 * min(length, side)), real=False)
    ring = np.minimum(np.arange(m), m - np.arange(m))
    away = np.hypot(ring[:, None], ring) / length
    power = np.sqrt(np.maximum(fft.fft2(np.exp(-(away**2) if gaussian else -away)).real, 0))
    at, maps = tuple(cell.astype(int).T), []
    for _ in range((n + 1) // 2):
        noise = rng.normal(size=(2, m, m))
        both = fft.ifft2(power * (noise[0] + 1j * noise[1])) * m
        maps += [both.real[at], both.imag[at]]
    return np.array(maps[:n]).T


def make(folder: Path, n: int) -> None:
    """Draw counts of four kinds of tissue."""
    rng = np.random.default_rng(0)
    cell = cells(n)
    kind = np.argmax(field(cell, 400 / BIN_UM, rng, n=4), axis=1)
    abundance = rng.lognormal(0, 2, N_GENES)
    marks = np.where(rng.random((4, N_GENES)) < 0.1, rng.uniform(2, 6, (4, N_GENES)), 1)
    depth = rng.poisson(DEPTH * np.exp(0.5 * rng.normal(size=n)) * (1 + kind) / 2.5)
    rows, genes = np.repeat(np.arange(n), depth), np.empty(depth.sum(), np.int32)
    for k in range(4):
        share = np.cumsum(abundance * marks[k])
        here = kind[rows] == k
        genes[here] = np.searchsorted(share, rng.random(here.sum()) * share[-1], side="right")
    counts = sparse.coo_matrix((np.ones(len(rows), np.int32), (rows, genes)), (n, N_GENES)).tocsr()
    ids = np.array([f"{c:.0f}x{r:.0f}" for c, r in cell], object)
    var = pd.DataFrame(index=[f"G{gene:05}" for gene in range(N_GENES)])
    AnnData(counts, obs=pd.DataFrame(index=ids), var=var, obsm={"cell": cell}).write_h5ad(folder / "section.h5ad")


def the_section(folder: Path, name: str = "test"):
    from mclstexp.core.section import Section
    from mclstexp.core.tiles import Tiles, TileSpec
    from mclstexp.io.slides import ArraySlide

    made = read_h5ad(folder / "section.h5ad")
    cell = made.obsm.pop("cell")
    made.uns |= {"pitch_um": BIN_UM, "spot_diameter_um": BIN_UM}
    side = int((cell.max() + 2) * BIN_UM / MPP)
    slide = ArraySlide(np.full((side, side, 3), 220, np.uint8), mpp=MPP, id=name)
    tiles = Tiles(slide, (cell + 1) * BIN_UM / MPP, np.asarray(made.obs_names, str), TileSpec(14, MPP), array_xy=cell)
    return Section(name, name, tiles, made)


def the_space(folder: Path):
    from mclstexp.core.expression import ExpressionSpace

    return ExpressionSpace(tuple((folder / "panel.txt").read_text().split()), **SPACE)


def the_pair(folder: Path):
    from mclstexp.analysis.pairs import Pair
    from mclstexp.io.predictions import read_prediction

    return Pair(the_section(folder), read_prediction(folder / "predicted.h5ad"))


def gene_choice(folder: Path) -> None:
    from mclstexp.core.panel import select_hvg

    (folder / "panel.txt").write_text("\n".join(select_hvg([the_section(folder)], n_genes=N_PANEL)))


def neighbour_means(folder: Path) -> None:
    from mclstexp.data.neighbours import mean_of_neighbours

    tiles = the_section(folder).tiles
    features = np.random.default_rng(0).normal(size=(len(tiles), DIM)).astype(np.float32)
    mean_of_neighbours(features, tiles.xy_um, radius_um=600, array_xy=tiles.array_xy)


def graphs(folder: Path) -> None:
    from mclstexp.data.autocorrelation import neighbour_weights
    from mclstexp.data.neighbours import find_neighbours

    xy_um = the_section(folder).tiles.xy_um
    neighbour_weights(xy_um)
    find_neighbours(xy_um, n_neighbours=8, radius_um=300)


def expression(folder: Path) -> None:
    the_space(folder)(the_section(folder).counts)


def morans(folder: Path) -> None:
    from mclstexp.data.autocorrelation import morans_i, neighbour_weights

    section = the_section(folder)
    morans_i(the_space(folder)(section.counts), neighbour_weights(section.tiles.xy_um))


def evaluation(folder: Path) -> None:
    """Fit, predict and score a control on all of the section, ceiling and references included."""
    from mclstexp.core.expression import ExpressionSpace
    from mclstexp.data.folds import Fold
    from mclstexp.evaluation.exam import Rules, prepare, references
    from mclstexp.evaluation.harness import join_scores, sit
    from mclstexp.io.predictions import write_prediction
    from mclstexp.methods import create

    panel = the_space(folder).genes
    rules = Rules(space=lambda sections: ExpressionSpace.fit(sections, genes=panel), gene_sets={})
    exam = prepare(Fold("fold", (the_section(folder, "train"),), (the_section(folder),), by="section"), rules)

    # its training section is the tested one: the scores would be perfect without noise
    def keep(predicted: AnnData, _: str) -> None:
        rng = np.random.default_rng(0)
        predicted.X = np.asarray(predicted.X + 0.05 * rng.normal(size=predicted.shape), np.float32)
        write_prediction(predicted, folder / "predicted.h5ad")

    tables = [sit(exam, create("coordinates", k=25), label="coordinates", keep=keep), references(exam)]
    join_scores(tables).to_parquet(folder / "scores.parquet", index=False)


def null(folder: Path) -> None:
    from mclstexp.analysis.spatial_null import maps_of, spatial_p

    pair = the_pair(folder)
    maps = maps_of(pair, pair.truth, pair.guess, names=pair.genes, unit="patient")
    spatial_p([maps], names=pair.genes, n_permutations=999)


def ranking(folder: Path) -> None:
    from mclstexp.analysis import rank_genes

    rank_genes([the_pair(folder)])


def structure(folder: Path) -> None:
    from mclstexp.analysis import gene_correlations, recover_svgs

    pair = the_pair(folder)
    recover_svgs([pair])
    gene_correlations([pair])


def domains(folder: Path) -> None:
    from mclstexp.analysis import find_domains

    find_domains(the_pair(folder), which="truth")


def report(folder: Path) -> None:
    from mclstexp.report.build_page import make_page
    from mclstexp.report.page_study import Study

    record = {"experiment": {"title": "scale"}, "methods": {"coordinates": {"method": "coordinates"}}, "sections": {}}
    study = Study(record, pd.read_parquet(folder / "scores.parquet"), "coordinates", [the_pair(folder)])
    (folder / "report.html").write_bytes(make_page(study, list(study.ranking.index)))


MEASURES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "gene_choice": ("Gene choice, 1,000 of 18,000", gene_choice),
    "expression": ("Expression of the panel", expression),
    "neighbour_means": ("Neighbour means, 600 µm, 1,024 features", neighbour_means),
    "graphs": ("Graphs of neighbours", graphs),
    "morans": ("Moran's I, 1,000 genes", morans),
    "evaluation": ("Evaluation of a control: fit, prediction, all metrics, ceiling", evaluation),
    "null": ("Spatial null, 1,000 genes, 999 maps", null),
    "ranking": ("`rank_genes`", ranking),
    "structure": ("`recover_svgs` and `gene_correlations`", structure),
    "domains": ("`find_domains` (Leiden)", domains),
    "report": ("Report, ranking and domains included", report),
}
"""In an order in which each finds what it needs; results that later ones read lie in the folder."""


def chance(n: int, *, n_maps: int = 200) -> None:
    """Print the share of pairs of unrelated maps with p of 0.05 or less, by their smoothness."""
    from mclstexp.analysis.coarse_patterns import coarse_patterns
    from mclstexp.analysis.spatial_null import draw_signs, null_correlations

    cell, rng = cells(n), np.random.default_rng(1)
    basis, squares = coarse_patterns(cell)
    print(f"{n} bins of {BIN_UM:g} µm, {n_maps} pairs of maps a row\n")
    print("| maps | range (µm) | noise | p ≤ 0.05 |\n|---|---|---|---|", flush=True)
    for gaussian in (True, False):
        for range_um in (25, 150, 500, 1500, 3000):
            truth, guess = (field(cell, range_um / BIN_UM, rng, n=n_maps, gaussian=gaussian) for _ in range(2))
            for noise in (0, 3):
                signs = draw_signs(rng, n_permutations=499, basis=basis, squares=squares)
                noisy = truth + noise * rng.normal(size=truth.shape)
                observed, null = null_correlations(noisy, guess, basis=basis, signs=signs, squares=squares)
                p = (1 + (null >= observed).sum(axis=0)) / 500
                kind = "Gaussian" if gaussian else "exponential"
                print(f"| {kind} | {range_um} | {noise} | {(p <= 0.05).mean():.3f} |", flush=True)


def measure(name: str, folder: Path) -> None:
    """Run one measure and print what it took as JSON."""
    start, cpu = time.perf_counter(), time.process_time()
    MEASURES[name][1](folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    print(json.dumps({"s": time.perf_counter() - start, "cpu_s": time.process_time() - cpu, "gib": peak}))


def table(sizes: list[int], only: list[str] | None) -> None:
    """Print the table, row by row."""
    print("| | bins | seconds | processor seconds | peak GiB |\n|---|---|---|---|---|")
    for n in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            make(Path(scratch), n)
            for name in only or MEASURES:
                command = [sys.executable, __file__, "--one", name, "--folder", scratch]
                done = subprocess.run(command, check=False, capture_output=True, text=True)
                if done.returncode:
                    print(f"| {MEASURES[name][0]} | {n:,} | failed | | |", flush=True)
                    print(done.stderr[-2000:], file=sys.stderr)
                    continue
                took = json.loads(done.stdout.splitlines()[-1])
                print(
                    f"| {MEASURES[name][0]} | {n:,} | {took['s']:.0f} | {took['cpu_s']:.0f} | {took['gib']:.1f} |",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spots", type=int, nargs="+")
    parser.add_argument("--only", choices=list(MEASURES), nargs="+")
    parser.add_argument("--chance", action="store_true", help="type I error of the null instead")
    parser.add_argument("--one", choices=list(MEASURES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        measure(asked.one, asked.folder)
    elif asked.chance:
        for n in asked.spots or [20_000]:
            chance(n)
    else:
        table(asked.spots or [5000, 20_000, 100_000], asked.only)


if __name__ == "__main__":
    main()
