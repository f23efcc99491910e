"""How many sections are needed: scores over the number of training sections, in a table and a figure.

`python benchmarks/learning_curve.py DATA OUT [her2st|mice]`. her2st: every choice of one to five of C2 to C6 predicts
those of the same patient that it left out, and B4 of another. mice: every choice of one to three sections of `mob_2k`,
two mice with two sections each, predicts the rest. All methods but `colour` see the common sight, with the slide's own
scale (`configs/her2st_cb.toml`). Fits that OUT holds already are not made again; in the end the figure is drawn.
"""

import argparse
import warnings
from collections.abc import Iterator
from functools import partial
from itertools import combinations
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from figures_paper import save
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import Fold
from mclstexp.evaluation.exam import Exam, Rules, mark, prepare, references
from mclstexp.io.read import read_sections
from mclstexp.methods import create
from mclstexp.plotting.style import COLOURS, PAGE_IN, style

SPEC = TileSpec(224, 0.5)
SIGHT = {"view_widths": (1.0, 2.0, 4.0), "context_radii_um": (300.0, 600.0), "slide_scale": True}
ENCODER = "efficientnet_lite0"
METHODS = ("mclstexp", "pls", "knn", "colour")
METRICS = {"pcc": "PCC", "pcc_depth": "PCC given depth"}
SAME, OTHER = "same", "other"


def read(data: Path, name: str) -> tuple[list[Section], list[str], int]:
    """Return sections, the genes that all of them measured of the panel, and how many are learnt from at most."""
    if name == "mice":
        sections = read_sections(data / "mob_2k", mpp=3.5, spec=SPEC)
        return sections, [gene for gene in sections[0].genes if all(gene in s.genes for s in sections)], 3
    names = ["C2", "C3", "C4", "C5", "C6", "B4"]
    sections = read_sections(data / "her2st", format="her2st", sections=names, spec=SPEC)
    panel = (data / "gene_lists" / "her2st_785.txt").read_text().split()
    return sections, [gene for gene in panel if all(gene in section.genes for section in sections)], 5


def choices(sections: list[Section], most: int) -> Iterator[Fold]:
    """Yield every choice of training sections, few first; all others are predicted. B4 is not learnt from."""
    learnt = [section for section in sections if section.id != "B4"]
    for n_train in range(1, most + 1):
        for train in combinations(learnt, n_train):
            test = tuple(section for section in sections if section not in train)
            yield Fold("+".join(section.id for section in train), train=train, test=test)


def score(exam: Exam, name: str) -> list[dict[str, object]]:
    """Fit a method and score it on each section that was left out."""
    options = {} if name == "colour" else {"encoder": ENCODER} | SIGHT
    model = create(name, **options).fit(exam.fold.train, space=exam.space)
    rows = []
    for section in exam.judged:
        table = mark(exam, section, model.predict(section.tiles).X, label=name, method=model)
        rows.append(row(exam, section, name, table))
    return rows


def row(exam: Exam, section: Section, label: str, table: pd.DataFrame) -> dict[str, object]:
    """Return the means over genes of one section's scores, and whom they are of."""
    train = exam.fold.train
    of_patient = sum(other.patient == section.patient for other in train)
    means = {metric: float(table.loc[table["metric"] == metric, "value"].mean()) for metric in METRICS}
    of = {"train": exam.fold.name, "n_train": len(train), "n_same": of_patient, "section": section.id}
    return {"method": label, **of, **means}


def measure(data: Path, name: str, path: Path) -> pd.DataFrame:
    """Make the fits that are missing, writing after each, and return all rows."""
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame(columns=["method", "train"])
    done = set(zip(table["method"], table["train"], strict=True))
    sections, genes, most = read(data, name)
    for fold in choices(sections, most):
        missing = [method for method in METHODS if (method, fold.name) not in done]
        if not missing:
            continue
        exam = prepare(fold, Rules(space=partial(ExpressionSpace.fit, genes=genes)))
        marked = references(exam)
        ceilings = marked[marked["method"] == "noise ceiling"]
        if ("noise ceiling", fold.name) not in done:
            found = [row(exam, s, "noise ceiling", ceilings[ceilings["section"] == s.id]) for s in exam.judged]
            table = pd.concat([table, pd.DataFrame(found)], ignore_index=True)
        for method in missing:
            table = pd.concat([table, pd.DataFrame(score(exam, method))], ignore_index=True)
            table.to_csv(path, index=False)
        print(fold.name, flush=True)
    return table


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


def report(found: dict[str, pd.DataFrame]) -> None:
    """Print a table in Markdown: PCC / given depth."""
    for title, rows in found.items():
        mean, counts = means(rows), sorted(rows["n_train"].unique())
        fits = rows[rows["method"] == METHODS[0]].groupby("n_train")["train"].nunique()
        spread = rows.groupby(["method", "n_train"])["pcc"].agg(lambda values: values.max() - values.min())
        print(f"\n**{title}**\n\n| | " + " | ".join(f"{n} ({fits[n]} fits)" for n in counts) + " |")
        print("|---|" + "---:|" * len(counts))
        for method in (*METHODS, "noise ceiling"):
            cells = [f"{mean.loc[(method, n), 'pcc']:.3f} / {mean.loc[(method, n), 'pcc_depth']:.3f}" for n in counts]
            print(f"| {method} | " + " | ".join(cells) + " |")
        print("from worst to best of fits and sections:", spread.loc[METHODS[0]].round(3).to_dict())


def draw(found: dict[str, pd.DataFrame]) -> Figure:
    """Draw a column per curve, PCC above and given depth below; dots are single predictions of a section."""
    with style():
        figure = Figure(figsize=(PAGE_IN, 4.2))
        axes = figure.subplots(len(METRICS), len(found), sharey="row", squeeze=False)
        for column, (title, rows) in enumerate(found.items()):
            for line, (metric, label) in enumerate(METRICS.items()):
                curve(axes[line, column], rows, metric)
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
        own = rows[rows["method"] == method]
        shifted = own["n_train"] + 0.08 * (place - 1.5)
        ax.plot(shifted, own[metric], ".", color=COLOURS[place], ms=2.5, alpha=0.5)
        ax.plot(mean.loc[method].index, mean.loc[method, metric], "o-", color=COLOURS[place], ms=3.5, label=method)
    top = mean.loc["noise ceiling", metric]
    ax.plot(top.index, top, "--", color="#808080", label="noise ceiling")
    ax.axhline(0, color="black", lw=0.5)
    ax.set(xticks=sorted(rows["n_train"].unique()))
    ax.set_xmargin(0.12)


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("name", choices=["her2st", "mice"], nargs="*", default=["her2st", "mice"])
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    given.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, pd.DataFrame] = {}
    for name in given.name:
        table = measure(given.data, name, given.out / f"learning_curve_{name}.csv")
        found |= curves(table, name)
    report(found)
    save(draw(found), given.out / "learning_curve.png")


if __name__ == "__main__":
    main()
