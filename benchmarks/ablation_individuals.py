"""What each part of strict mclSTExp adds on a new individual: one table in Markdown, one change a row.

Run `python benchmarks/ablation_individuals.py DATA [ROW]`, DATA (or `$MCLSTEXP_DATA`) holding `mob_2k/`, `her2st/` and
`gene_lists/her2st_785.txt`; ROW for one row alone. Mice: each of two predicted from the other. C → B4: her2st patient B
from patient C. C: her2st C2 to C6, each section left out. PCC per gene and section, of all genes and the 50 highest of
training, then given depth (`pcc_depth`), then with residuals (`pcc_residual`), averaged over sections and folds.
"""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import Fold, folds_by_patient, folds_by_section
from mclstexp.evaluation.exam import Rules, mark, prepare
from mclstexp.io.read import read_sections
from mclstexp.methods import create

SEEDS = (0, 1)
METRICS = ("pcc", "pcc_depth", "pcc_residual")
CHANGES: dict[str, dict[str, Any]] = {
    "default": {},
    "far models alone": {"context_share": 1.0},
    "far and near, equal shares everywhere": {"trust": 0.0},
    "the slide's own scale": {"slide_scale": True},
    "attention over neighbouring spots": {"n_blocks": 1},
    "targets in residuals": {"scale": "residual"},
}


def designs(data: Path) -> dict[str, tuple[list[Fold], list[str] | None]]:
    """Return folds and panel of each design; None for the usual panel."""
    spec = TileSpec(224, 0.5)
    mice = read_sections(data / "mob_2k", mpp=3.5, spec=spec)
    names = ["C2", "C3", "C4", "C5", "C6", "B4"]
    her2st: list[Section] = read_sections(data / "her2st", format="her2st", sections=names, spec=spec)
    panel = (data / "gene_lists" / "her2st_785.txt").read_text().split()
    to_b4 = Fold("B4", train=tuple(her2st[:5]), test=tuple(her2st[5:]))
    return {
        "mice": (folds_by_patient(mice), None),
        "C → B4": ([to_b4], panel),
        "C": (folds_by_section(her2st[:5]), panel),
    }


def score(folds: list[Fold], panel: list[str] | None, options: dict[str, Any]) -> np.ndarray:
    """Return the mean over folds and seeds of each metric, over all genes and over the 50 highest."""
    given = {name: value for name, value in options.items() if name != "scale"}
    kept: dict[str, Any] = {"scale": options.get("scale", "log")} | ({} if panel is None else {"genes": panel})
    rows = []
    for fold in folds:
        exam = prepare(fold, Rules(space=partial(ExpressionSpace.fit, **kept)))
        for seed in SEEDS:
            model = create("mclstexp", encoder="efficientnet_lite0", seed=seed, **given)
            model.fit(exam.fold.train, space=exam.space)
            for section in exam.judged:
                table = mark(exam, section, model.predict(section.tiles).X, label="mclstexp", method=model)
                of = [table[table["metric"] == metric] for metric in METRICS]
                rows.append([part["value"].mean() for one in of for part in (one, one[one["heg50"]])])
    return np.mean(rows, axis=0)


def main(data: Path, only: str | None) -> None:
    print("| change | design | PCC | given depth | with residuals |")
    print("|---|---|---:|---:|---:|")
    ready = designs(data)
    for label, options in CHANGES.items():
        if only in (None, label):
            for design, (folds, panel) in ready.items():
                found = score(folds, panel, options).reshape(3, 2)
                cells = " | ".join(f"{every:.3f}/{top:.3f}" for every, top in found)
                print(f"| {label} | {design} | {cells} |", flush=True)


if __name__ == "__main__":
    where = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MCLSTEXP_DATA")
    if where is None:
        print("skipped: give the folder of the data, or set MCLSTEXP_DATA")
    else:
        main(Path(where), sys.argv[2] if len(sys.argv) > 2 else None)
