"""Figures beyond the paper's: how far from the ceiling, which method where, and what a prediction is made of.

Run `python benchmarks/figures_more.py RESULTS OUT [--figure ceiling|methods|gallery|sources|embedding|training]`,
RESULTS a folder that `mclstexp evaluate` wrote with predictions. The last four fit the method again, as in the fold
of the first section, and check that it predicts what it predicted there. The numbers are printed.
"""

import argparse
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from figures_paper import save
from mclstexp.analysis.gene_ranking import rank_genes
from mclstexp.analysis.pairs import Pair, default_method, read_pairs, read_record
from mclstexp.core.predictor import Predictor
from mclstexp.evaluation.experiment import experiment_of
from mclstexp.evaluation.results import read_results
from mclstexp.evaluation.score_table import CEILING_METRIC, gene_means
from mclstexp.plotting.embedding import plot_embedding
from mclstexp.plotting.gallery import plot_gallery
from mclstexp.plotting.scores import plot_method_against_method, plot_score_against_ceiling
from mclstexp.plotting.sources import plot_sources, spot_weights
from mclstexp.plotting.training_curves import plot_training
from mclstexp.training.checkpoint import read_histories


def ceiling(results: Path, label: str) -> Figure:
    """Draw each gene's PCC against its noise ceiling."""
    scores = read_results(results)
    pcc, most = (gene_means(scores, metric=metric) for metric in ("pcc", CEILING_METRIC))
    pcc, most = pcc[label], most.iloc[:, 0]
    measured = most > 0.3
    print(f"mean PCC {pcc.mean():.3f}, ceiling {most.mean():.3f}")
    reached = (pcc[measured] > 0.5 * most[measured]).sum()
    print(f"{reached} of {measured.sum()} genes of a ceiling above 0.3 reach half, {(most <= 0).sum()} have one of 0")
    return plot_score_against_ceiling(scores, label).figure


def methods(results: Path, label: str) -> Figure:
    """Draw the method against the best of the others, gene by gene."""
    scores = read_results(results)
    table = gene_means(scores[scores["kind"] == "method"], metric="pcc")
    other = table.mean().drop(label).idxmax()
    print(f"mean PCC: {label} {table[label].mean():.3f}, {other} {table[other].mean():.3f}")
    print(f"correlation of the two over genes {table[label].corr(table[other]):.2f}")
    return plot_method_against_method(scores, other, label).figure


def gallery(results: Path, label: str) -> Figure:
    """Show tiles where the gene predicted best is predicted lowest, middling and highest, and their reasons."""
    model, held, others = fitted(results, label)
    gene, at = _tiles(results, label)
    weights = np.array([spot_weights(model.retrieve(held.section.tiles), i) for i in range(len(held.section))])
    many = 1 / (weights**2).sum(axis=1)
    print(f"rows: {gene} predicted lowest, middling, highest on {held.id}")
    used = (weights > 0).sum(axis=1)
    print(
        f"a prediction averages {np.median(used):.0f} of {weights.shape[1]} spots, as if {np.median(many):.0f} equally"
    )
    return plot_gallery(model, held.section.tiles, [pair.section for pair in others], at=at)[0, 0].figure


def sources(results: Path, label: str) -> Figure:
    """Show where the spots lie that the tile is made of where the gene predicted best is predicted highest."""
    model, held, others = fitted(results, label)
    _, at = _tiles(results, label)
    axes = plot_sources(model, held.section.tiles, [pair.section for pair in others], at=at[-1])
    print(", ".join(ax.get_title() for ax in axes))
    return axes[0].figure


def embedding(results: Path, label: str) -> Figure:
    """Draw the first model's embeddings of held-out tiles and training spots in one plane."""
    model, held, others = fitted(results, label)
    first = model.retrieve(held.section.tiles)[0]
    tiles, spots = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (first.tiles, first.spots))
    among = spots @ spots.T
    np.fill_diagonal(among, -1)
    of_tile, of_spot = (np.median(cosines.max(axis=1)) for cosines in (tiles @ spots.T, among))
    print(f"cosine to the nearest spot, median: of a tile {of_tile:.2f}, of a spot (another) {of_spot:.2f}")
    of_spots = [pair.id for pair in others for _ in range(len(pair.section))]
    return plot_embedding(first.tiles, first.spots, image_sections=[held.id] * len(tiles), spot_sections=of_spots)[
        0
    ].figure


def training(results: Path, label: str) -> Figure:
    """Draw the losses of the fit."""
    fitted(results, label)
    return plot_training(read_histories(workdir())).figure


@cache
def workdir() -> Path:
    return Path(tempfile.mkdtemp())


@cache
def fitted(results: Path, label: str) -> tuple[Predictor, Pair, list[Pair]]:
    """Fit a method again on all sections but those of the first one's fold; return it, the first pair and those."""
    record = read_record(results)
    pairs = read_pairs(results, label)
    held = pairs[0]
    fold = next(fold for fold in record["folds"].values() if held.id in fold["test"])
    others = [pair for pair in pairs if pair.id in fold["train"]]
    model = experiment_of(record["experiment"], where=str(results)).make_methods()[label]
    model.fit([pair.section for pair in others], space=held.space, workdir=workdir())
    off = np.abs(model.predict(held.section.tiles).X - held.guess).max()
    print(f"fitted again for {held.id}: predictions differ from the evaluation's by at most {off:.1g}")
    return model, held, others


def _tiles(results: Path, label: str) -> tuple[str, list[int]]:
    _, held, _ = fitted(results, label)
    gene = rank_genes(read_pairs(results, label), n_permutations=19).index[0]
    order = np.argsort(held.guess[:, held.genes.index(gene)])
    return gene, [int(order[i]) for i in (0, len(order) // 2, -1)]


FIGURES = {
    "ceiling": ceiling,
    "methods": methods,
    "gallery": gallery,
    "sources": sources,
    "embedding": embedding,
    "training": training,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--figure", choices=FIGURES, action="append")
    parser.add_argument("--method")
    parser.add_argument("--format", default="png", choices=["png", "pdf", "svg"])
    asked = parser.parse_args()
    label = asked.method or default_method(read_record(asked.results))
    for name in asked.figure or FIGURES:
        path = asked.out / f"{asked.results.name}_{name}.{asked.format}"
        print(f"-- {path}")
        save(FIGURES[name](asked.results, label), path)


if __name__ == "__main__":
    main()
