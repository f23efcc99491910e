"""How many sections are needed: scores over the number of training sections, in a table and a figure.

`python benchmarks/learning_curve.py DATA OUT [her2st|mice]`. her2st: some choices of one to five of C2 to C6
(`--choices` of each number, neighbours in the block) predict those of the same patient that they left out, and B4 of
another. mice: every choice of one to three sections of `mob_2k`, two mice with two sections each, predicts the rest.
`mclstexp` is as it comes; `pls` and `knn` see what it sees. Fits that OUT holds already are not made again.
"""

import argparse
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures_paper import save
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.measured import learnable
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.ceiling import ceiling_of, reliability
from mclstexp.evaluation.controls import COMMON, make_control
from mclstexp.evaluation.metrics import pcc, pcc_depth
from mclstexp.io.read import read_sections
from mclstexp.methods import create
from mclstexp.plotting.style import COLOURS, PAGE_IN, style

SPEC = TileSpec(224, 0.5)
ENCODER = "efficientnet_lite0"
METHODS = ("mclstexp", "pls", "knn", "colour")
METRICS = {"pcc": "PCC", "pcc_depth": "PCC given depth"}


def read(data: Path, name: str) -> tuple[list[Section], list[str]]:
    """Return sections, and the genes of the panel that all of them measured."""
    if name == "mice":
        sections = read_sections(data / "mob_2k", mpp=3.5, spec=SPEC)
        return sections, [gene for gene in sections[0].genes if all(gene in s.genes for s in sections)]
    names = ["C2", "C3", "C4", "C5", "C6", "B4"]
    sections = read_sections(data / "her2st", format="her2st", sections=names, spec=SPEC)
    panel = (data / "gene_lists" / "her2st_785.txt").read_text().split()
    return sections, [gene for gene in panel if all(gene in section.genes for section in sections)]


def choices(sections: list[Section], name: str, n_choices: int) -> list[list[Section]]:
    """Return choices of training sections, few first. B4 is not learnt from."""
    if name == "mice":
        return [list(some) for n in range(1, len(sections)) for some in combinations(sections, n)]
    ring = [section for section in sections if section.id != "B4"] * 2
    n_ring = len(ring) // 2
    windows = [ring[start : start + n] for n in range(1, n_ring) for start in range(n_choices)]
    return [*windows, ring[:n_ring]]


def score(train: list[Section], test: list[Section], genes: list[str], name: str) -> list[dict[str, object]]:
    """Fit a method and score it on each section that was left out."""
    method = create("mclstexp", encoder=ENCODER)
    if name != method.name:
        method = make_control(name if name == "colour" else name + COMMON, encoder=ENCODER, sight=method.sight)
    space = ExpressionSpace.fit(train, genes=genes)
    model = method.fit(train, space=space)
    rows = []
    for section in learnable(test, space=space):
        truth, said = space(section.counts).astype(np.float64), model.predict(section.tiles).X.astype(np.float64)
        of = {"train": "+".join(s.id for s in train), "n_train": len(train)}
        of |= {"n_same": sum(s.patient == section.patient for s in train), "section": section.id}
        given_depth = pcc_depth(truth, said, depth=np.asarray(section.counts.X.sum(axis=1)).ravel())
        rows.append({"method": name, **of, "pcc": np.nanmean(pcc(truth, said)), "pcc_depth": np.nanmean(given_depth)})
    return rows


def measure(
    sections: list[Section], genes: list[str], trains: list[list[Section]], methods: list[str], path: Path
) -> pd.DataFrame:
    """Make the fits that are missing, writing after each, and return all rows."""
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame({"method": [], "train": []})
    done = set(zip(table["method"], table["train"], strict=True))
    for method in reversed(methods):  # the quick ones first
        for train in trains:
            label = "+".join(section.id for section in train)
            if (method, label) not in done:
                test = [section for section in sections if section not in train]
                table = pd.concat([table, pd.DataFrame(score(train, test, genes, method))], ignore_index=True)
                table.to_csv(path, index=False)
                print(method, label, flush=True)
    return table.astype({"n_train": int, "n_same": int})


def ceiling(sections: list[Section], genes: list[str]) -> dict[str, float]:
    """Return what a perfect prediction of some sections would score, on average over genes."""
    space = ExpressionSpace.fit(sections, genes=genes)
    found = {}
    for metric in METRICS:
        counts = [section.counts for section in sections]
        of = np.array([reliability(some, space=space, given_depth=metric == "pcc_depth") for some in counts]).T
        found[metric] = float(np.nanmean(ceiling_of(np.nanmean(of, axis=1), of)))
    return found


def curves(table: pd.DataFrame, name: str) -> dict[str, pd.DataFrame]:
    """Return the rows of each curve by its title: whom is predicted from whom."""
    other = table[table["n_same"] == 0]
    if name == "her2st":
        within = table[table["n_same"] > 0]
        return {
            "her2st: the next section of one patient": within[within["section"] != "B4"],
            "her2st: another patient (B4)": other[other["section"] == "B4"],
        }
    mixed = table[table["n_same"] > 0]
    return {"bulb: another mouse": other, "bulb: one section of the same mouse, the rest of the other": mixed}


def means(rows: pd.DataFrame) -> pd.DataFrame:
    """Average over choices of training sections, then over predicted sections, which weigh alike."""
    of_section = rows.groupby(["method", "n_train", "section"], sort=False)[list(METRICS)].mean()
    return of_section.groupby(["method", "n_train"], sort=False).mean()


def present(rows: pd.DataFrame) -> list[str]:
    """Return the methods of a table, in our order."""
    return [method for method in METHODS if method in set(rows["method"])]


def report(found: dict[str, pd.DataFrame], ceilings: dict[str, dict[str, float]]) -> None:
    """Print a table in Markdown: PCC / given depth."""
    for title, rows in found.items():
        mean, counts, methods = means(rows), sorted(rows["n_train"].unique()), present(rows)
        fits = rows[rows["method"] == methods[0]].groupby("n_train")["train"].nunique()
        print(f"\n**{title}**\n\n| | " + " | ".join(f"{n} ({fits[n]} fits)" for n in counts) + " |")
        print("|---|" + "---:|" * len(counts))
        for method in methods:
            cells = [f"{mean.loc[(method, n), 'pcc']:.3f} / {mean.loc[(method, n), 'pcc_depth']:.3f}" for n in counts]
            print(f"| {method} | " + " | ".join(cells) + " |")
        print(
            "| noise ceiling | " + " | ".join([" / ".join(f"{v:.3f}" for v in ceilings[title].values())] * len(counts)),
            "|",
        )
        ranges = rows[rows["method"] == methods[0]].groupby("n_train")["pcc"].agg(["min", "max"]).round(3)
        print(f"{methods[0]}, single sections of single fits:", ranges.to_dict("index"))


def draw(found: dict[str, pd.DataFrame], ceilings: dict[str, dict[str, float]]) -> Figure:
    """Draw a column per curve, PCC above and given depth below; dots are single predictions of a section."""
    with style():
        figure = Figure(figsize=(PAGE_IN, 4.2))
        axes = figure.subplots(len(METRICS), len(found), sharey="row", squeeze=False)
        for column, (title, rows) in enumerate(found.items()):
            for line, (metric, label) in enumerate(METRICS.items()):
                curve(axes[line, column], rows, metric)
                axes[line, column].axhline(ceilings[title][metric], ls="--", color="#808080", label="noise ceiling")
                axes[line, column].set_ylabel(label if column == 0 else "")
            axes[0, column].set_title(title.replace(": ", ":\n").replace(", the", ",\nthe"), loc="left")
            axes[-1, column].set_xlabel("training sections")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def curve(ax: Axes, rows: pd.DataFrame, metric: str) -> None:
    """Draw each method's mean over the number of sections, and what it is a mean of."""
    mean = means(rows)
    for place, method in enumerate(METHODS):
        if method not in present(rows):
            continue
        own = rows[rows["method"] == method]
        shifted = own["n_train"] + 0.08 * (place - 1.5)
        ax.plot(shifted, own[metric], ".", color=COLOURS[place], ms=2.5, alpha=0.5)
        ax.plot(mean.loc[method].index, mean.loc[method, metric], "o-", color=COLOURS[place], ms=3.5, label=method)
    ax.axhline(0, color="black", lw=0.5)
    ax.set(xticks=sorted(rows["n_train"].unique()))
    ax.set_xmargin(0.12)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("name", choices=["her2st", "mice", "both"], nargs="?", default="both")
    parser.add_argument("--choices", type=int, default=3)
    parser.add_argument("--methods", nargs="*", choices=METHODS, default=list(METHODS))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    given.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, pd.DataFrame] = {}
    ceilings: dict[str, dict[str, float]] = {}
    for name in ("her2st", "mice") if given.name == "both" else (given.name,):
        sections, genes = read(given.data, name)
        trains = choices(sections, name, given.choices)
        table = measure(sections, genes, trains, given.methods, given.out / f"learning_curve_{name}.csv")
        for title, rows in curves(table[table["method"].isin(given.methods)], name).items():
            found[title] = rows
            ceilings[title] = ceiling([s for s in sections if s.id in set(rows["section"])], genes)
    report(found, ceilings)
    save(draw(found, ceilings), given.out / "learning_curve.png")


if __name__ == "__main__":
    main()
