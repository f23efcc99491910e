"""The figures of the mclSTExp paper (Min et al., arXiv 2407.08216) from our predictions; docs/figures.md shows them.

Run `python benchmarks/figures_paper.py RESULTS OUT [--figure top_genes|domains|correlations|ranking]`, RESULTS a folder
that `mclstexp evaluate` wrote with predictions. All four figures by default; the numbers are printed. `--blank` draws
no H&E, for images that may not be passed on; `--format pdf` writes vectors.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image
from scipy.spatial import cKDTree

from mclstexp.analysis.domains import compare_domains, find_domains, labels_of
from mclstexp.analysis.gene_ranking import VERDICTS, rank_genes
from mclstexp.analysis.pairs import Pair, read_pairs
from mclstexp.analysis.structure import gene_correlations
from mclstexp.io.slides import ArraySlide
from mclstexp.plotting.correlations import plot_gene_correlations
from mclstexp.plotting.domains import plot_domains
from mclstexp.plotting.maps import plot_slide, plot_truth_and_prediction
from mclstexp.plotting.ranking import plot_gene_ranking
from mclstexp.plotting.spots import view_of
from mclstexp.plotting.style import COLOURS, DIFFERENCE, EXPRESSION, MISSING, PAGE_IN, save_figure, style
from mclstexp.plotting.top_genes import plot_top_genes

PAPER_TOP = ("GNAS", "FN1", "FASN", "HLA-B", "SCD", "IGKC", "HLA-DRA")
"""The paper's seven genes of smallest p, over 32 sections of eight patients of her2st."""
N_TOP = 4
N_CORRELATED = 40


def top_genes(pairs: Sequence[Pair]) -> Figure:
    """Map the genes predicted best (paper: figure 5 and tutorial)."""
    ranking = rank_genes(pairs)
    names = list(ranking.index[:N_TOP])
    for gene in names:
        row = ranking.loc[gene]
        print(f"{gene}: mean PCC {row['pcc']:.2f}, ceiling {row['ceiling']:.2f}, score {row['score']:.1f}")
    spread = [
        np.std(pair.guess[:, pair.genes.index(gene)]) / np.std(pair.truth[:, pair.genes.index(gene)])
        for gene in names
        for pair in pairs
    ]
    print(f"spread of the prediction over that of the truth, these genes, all sections: {np.mean(spread):.2f}")
    return plot_top_genes(pairs, names)[0, 0].figure


def ranking(pairs: Sequence[Pair]) -> Figure:
    """Rank genes by mean of -log10 p (paper: table S2), beside ceiling and verdict."""
    table = rank_genes(pairs)
    print(
        f"median PCC {table['pcc'].median():.3f}, "
        + ", ".join(f"{(table['verdict'] == v).sum()} {v}" for v in VERDICTS)
    )
    for gene in table.index.intersection(PAPER_TOP):
        row, place = table.loc[gene], table.index.get_loc(gene) + 1
        print(f"the paper's {gene}: place {place} of {len(table)}, PCC {row['pcc']:.2f}, ceiling {row['ceiling']:.2f}")
    published, honest = table["score"] > -np.log10(0.05), table["q"] < 0.05
    print(
        f"{published.sum()} genes with a mean -log10 p beyond 0.05, {honest.sum()} with q < 0.05, "
        f"{(published & ~honest).sum()} with the first alone"
    )
    return plot_gene_ranking(table).figure


def correlations(pairs: Sequence[Pair]) -> Figure:
    """Correlate the genes with most counts among each other (paper: supplement S2): means over sections."""
    truth, predicted = gene_correlations(pairs, n_genes=N_CORRELATED)
    axes = plot_gene_correlations(truth, predicted)
    upper = np.triu_indices(len(truth), 1)
    for name, table in (("measured", truth), ("predicted", predicted)):
        size = np.abs(table.to_numpy()[upper])
        print(f"{name}: mean |r| of pairs {size.mean():.2f}, {100 * (size > 0.5).mean():.0f} % beyond 0.5")
    print(axes[1].get_title())
    return axes[0].figure


def domains(pairs: Sequence[Pair]) -> Figure:
    """Divide sections by PCA and k-means (paper: figure 4), or by Leiden where no labels say how many domains."""
    labelled = labels_of(pairs[0]) is not None
    way = "paper" if labelled else "leiden"
    tables = pd.concat([compare_domains(pair, way=each) for each in dict.fromkeys((way, "leiden")) for pair in pairs])
    if not labelled:  # the published way, told as many domains as Leiden found in the measured
        n = tables.groupby("section")["n_against"].first()
        tables = pd.concat([tables, *(compare_domains(pair, way="paper", n_domains=n[pair.id]) for pair in pairs)])
    print(tables.round(2).to_string(index=False))
    means = tables.groupby(["way", "of", "against"])[["ari", "nmi"]].mean()
    print(means.round(3))
    against = "labels" if labelled else "truth"
    shown = tables[(tables["way"] == way) & (tables["of"] == "predicted") & (tables["against"] == against)]
    middle = shown.sort_values("ari").iloc[len(shown) // 2]["section"]
    pair = next(pair for pair in pairs if pair.id == middle)
    found = {
        "measured": find_domains(pair, which="truth", way=way),
        "predicted": find_domains(pair, which="predicted", way=way),
    }
    if labelled:
        return plot_domains(pair.section, {f"{middle}: anatomical layers": labels_of(pair), **found})[0].figure
    with style():
        figure, axes = plt.subplots(1, 3, figsize=(PAGE_IN, 2.75), layout="compressed")
        plot_slide(pair.section.tiles.slide, ax=axes[0], view=view_of(pair.section.tiles)).set_title(middle)
    plot_domains(pair.section, found, axes=axes[1:])
    return figure


def gene_maps(pairs: Sequence[Pair]) -> Figure:
    """Map the gene predicted best and the middling one, on the middling section: tissue, both, and their difference."""
    ranking = rank_genes(pairs).dropna(subset="pcc")
    middling = ranking.index[(ranking["pcc"] - ranking["pcc"].median()).abs().argmin()]
    means = ranking[[f"pcc_{pair.id}" for pair in pairs]].mean().to_numpy()
    pair = pairs[np.argsort(means)[len(means) // 2]]
    spreads = [np.median(pair.guess.std(axis=0) / pair.truth.std(axis=0).clip(1e-9)) for pair in pairs]
    print(f"spread over the truth's, median gene, mean of sections: {np.mean(spreads):.2f}")
    tissue = bool((pair.section.tiles.slide.thumbnail(100) < 255).any())
    with style():
        size_in = (PAGE_IN, 4.2) if tissue else (0.8 * PAGE_IN, 5.4)
        figure, axes = plt.subplots(2, 3 + tissue, figsize=size_in, layout="compressed")
    for row, gene in zip(axes, (ranking.index[0], middling), strict=True):
        four = row if tissue else [plt.figure().subplots(), *row]  # the tissue that is not shown is drawn elsewhere
        plot_truth_and_prediction(pair.section, pair.predicted, gene, space=pair.space, axes=four)
        if not tissue:
            row[0].set_title(f"{gene} · {pair.id} · measured", fontsize=row[1].title.get_fontsize())
        column = pair.genes.index(gene)
        spread = np.std(pair.guess[:, column]) / np.std(pair.truth[:, column])
        r = ranking.loc[gene, f"pcc_{pair.id}"]
        print(f"{gene} on {pair.id}: PCC {r:.2f}, spread over the truth's {spread:.2f}")
    return figure


FIGURES: dict[str, Callable[[Sequence[Pair]], Figure]] = {
    "top_genes": top_genes,
    "gene_maps": gene_maps,
    "domains": domains,
    "correlations": correlations,
    "ranking": ranking,
}


def blank(pair: Pair) -> Pair:
    """Put white in the place of the tissue's image."""
    tiles = pair.section.tiles
    width, height = tiles.slide.size_px
    shrink = max(1, max(width, height) // 1000)
    white = np.full((height // shrink, width // shrink, 3), 255, np.uint8)
    slide = ArraySlide(white, mpp=tiles.slide.mpp * shrink, id=tiles.slide.id)
    section = replace(pair.section, tiles=replace(tiles, slide=slide, xy=tiles.xy / shrink))
    return Pair(section, pair.predicted)


def save(figure: Figure, path: Path) -> None:
    """Write a figure; a PNG in 256 colours, and as sharp as 300 kB allow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for dpi in (180, 150, 130, 110):
        save_figure(figure, path, dpi=dpi)
        if path.suffix != ".png":
            return
        _in_256_colours(Image.open(path).convert("RGB")).save(path, optimize=True)
        if path.stat().st_size < 300_000:
            return


def _in_256_colours(picture: Image.Image) -> Image.Image:
    """Keep the colours of the colour maps, so that bars stay smooth, and 110 of the picture's own."""
    maps = [mpl.colormaps[name](np.linspace(0, 1, n))[:, :3] for name, n in ((EXPRESSION, 80), (DIFFERENCE, 49))]
    fixed = 255 * np.concatenate([*maps, [to_rgb(colour) for colour in (*COLOURS, MISSING, "white")]])
    own = np.reshape(picture.quantize(256 - len(fixed), kmeans=1).getpalette(), (-1, 3))
    palette = np.concatenate([fixed.round().astype(np.uint8), own])[:256]
    colours, which = np.unique(np.asarray(picture).reshape(-1, 3), axis=0, return_inverse=True)
    nearest = cKDTree(palette).query(colours)[1].astype(np.uint8)
    reduced = Image.fromarray(nearest[which].reshape(picture.height, picture.width), "P")
    reduced.putpalette(palette.astype(np.uint8).ravel().tolist())
    return reduced


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--figure", choices=FIGURES, action="append")
    parser.add_argument("--method")
    parser.add_argument("--blank", action="store_true")
    parser.add_argument("--format", default="png", choices=["png", "pdf", "svg"])
    asked = parser.parse_args()
    pairs = read_pairs(asked.results, asked.method)
    if asked.blank:
        pairs = [blank(pair) for pair in pairs]
    for name in asked.figure or FIGURES:
        path = asked.out / f"{asked.results.name}_{name}.{asked.format}"
        print(f"-- {path}")
        save(FIGURES[name](pairs), path)


if __name__ == "__main__":
    main()
