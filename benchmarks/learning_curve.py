"""How many sections are needed: `python benchmarks/learning_curve.py DATA [FIGURE.png [METHOD …]]`; see docs/data.md.

DATA (or `$MCLSTEXP_DATA`) holds `her2st/`, `mob_2k/` and `gene_lists/her2st_785.txt`. Within a tumour: each of her2st
C2 to C6 is predicted from one to four of the others, DRAWS random choices of each number. Mice: each of four sections
is predicted from sections of the other mouse, of its own, and of both. Genes are the same along a curve; features are
those of `efficientnet_lite0`, and each method (`pls` and `density`, unless others are named) has its defaults.
"""

import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import Fold
from mclstexp.evaluation.exam import CEILING, Rules, mark, prepare, references
from mclstexp.io.read import read_sections
from mclstexp.methods import create
from mclstexp.plotting.style import PAGE_IN, style

METHODS = sys.argv[3:] or ["pls", "density"]
METRICS = {"pcc": "PCC", "pcc_depth": "PCC given depth"}
DRAWS = 1
"""Random choices of training sections of each number (below the largest), for each test section."""
Run = tuple[str, Section, tuple[Section, ...]]
"""What is learnt from, in words; the test section; the training sections."""


def within(sections: Sequence[Section], seed: int = 0) -> Iterator[Run]:
    """Yield each section with one to all of the others, chosen by chance."""
    rng = np.random.default_rng(seed)
    for test in sections:
        others = [section for section in sections if section is not test]
        for n in range(1, len(others) + 1):
            choices = list(itertools.combinations(others, n))
            for i in rng.permutation(len(choices))[:DRAWS]:
                yield f"{n}", test, choices[i]


def between(sections: Sequence[Section]) -> Iterator[Run]:
    """Yield each section of two animals with those of the other, of its own, and of both."""
    for test in sections:
        own = [section for section in sections if section.patient == test.patient and section is not test]
        other = [section for section in sections if section.patient != test.patient]
        for one in other:
            yield "1 of the other mouse", test, (one,)
        yield f"{len(other)} of the other mouse", test, tuple(other)
        yield f"{len(own)} of its own", test, tuple(own)
        yield f"{len(own)} of its own, {len(other)} of the other", test, (*own, *other)


def scores(runs: Iterator[Run], genes: Sequence[str]) -> pd.DataFrame:
    """Score every method in every run: a row per method, run and metric, the mean over genes."""
    rows = []
    for label, test, train in runs:
        fold = Fold(test.id, train=train, test=(test,), by="section")
        exam = prepare(fold, Rules(space=partial(ExpressionSpace.fit, genes=list(genes))))
        spots = sum(len(section) for section in exam.fold.train)
        tables = {CEILING: references(exam).query("method == @CEILING")}
        for name in METHODS:
            model = create(name, encoder="efficientnet_lite0")
            model.fit(exam.fold.train, space=exam.space)
            for section in exam.judged:
                predicted = model.predict(section.tiles).X
                tables[name] = mark(exam, section, predicted, label=name, method=model)
        for name, table in tables.items():
            for metric in METRICS:
                value = table.loc[table["metric"] == metric, "value"].mean()
                rows.append((label, test.id, spots, name, metric, value))
        print(f"{test.id} from {', '.join(s.id for s in train)}: done", file=sys.stderr, flush=True)
    return pd.DataFrame(rows, columns=["learnt from", "test", "spots", "method", "metric", "value"])


def show(title: str, found: pd.DataFrame) -> None:
    """Print the means over test sections, as Markdown."""
    print(f"\n{title}\n")
    columns = [(name, metric) for metric in METRICS for name in (*METHODS, CEILING)]
    print("| learnt from | spots | " + " | ".join(f"{name}, {METRICS[metric]}" for name, metric in columns) + " |")
    print("|---|---:|" + "---:|" * len(columns))
    for label, rows in found.groupby("learnt from", sort=False):
        # each test section weighs the same, however many choices were drawn for it
        mean = rows.groupby(["method", "metric", "test"])["value"].mean().groupby(["method", "metric"]).mean()
        cells = " | ".join(f"{mean[column]:.3f}" for column in columns)
        print(f"| {label} | {rows['spots'].mean():.0f} | {cells} |")


def draw(found: pd.DataFrame, target: Path) -> None:
    """Draw the curve within a tumour: a point for each run, a line through the means."""
    with style():
        figure, axes = plt.subplots(1, 2, figsize=(PAGE_IN, 2.8), layout="constrained")
        for ax, (metric, name) in zip(axes, METRICS.items(), strict=True):
            for place, method in enumerate(METHODS):
                rows = found[(found["method"] == method) & (found["metric"] == metric)]
                mean = rows.groupby("learnt from")["value"].mean()
                n = np.array([int(label) for label in mean.index])
                (line,) = ax.plot(n, mean, marker="o", label=method)
                x = rows["learnt from"].astype(int) + 0.06 * (place - 1)
                ax.scatter(x, rows["value"], s=6, alpha=0.45, color=line.get_color(), linewidths=0)
            ceiling = found[(found["method"] == CEILING) & (found["metric"] == metric)]["value"].mean()
            ax.axhline(ceiling, color="0.4", linestyle="--", linewidth=0.8)
            ax.annotate("noise ceiling", (4.1, ceiling), va="bottom", ha="right", fontsize=7, color="0.3")
            ax.set(xticks=n, xlabel="training sections of the same tumour", ylabel=name, ylim=(0, None))
        axes[0].legend(loc="lower right", bbox_to_anchor=(1, 0.06))
        figure.savefig(target, dpi=200)


def main(data: Path, figure: Path | None) -> None:
    spec = TileSpec(224, 0.5)
    names = ["C2", "C3", "C4", "C5", "C6"]
    tumour = read_sections(data / "her2st", format="her2st", sections=names, spec=spec)
    mice = read_sections(data / "mob_2k", mpp=3.5, spec=spec)
    panel = (data / "gene_lists" / "her2st_785.txt").read_text().split()
    found = scores(within(tumour), panel)
    show("Within a tumour (her2st C2 to C6, 785 genes)", found)
    if figure is not None:
        draw(found, figure)
    genes = ExpressionSpace.fit(mice, hvg=1000).genes
    show("Mice (olfactory bulb, 1000 genes)", scores(between(mice), genes))


if __name__ == "__main__":
    where = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MCLSTEXP_DATA")
    if where is None:
        print("skipped: give the folder of the data, or set MCLSTEXP_DATA")
    else:
        main(Path(where), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
