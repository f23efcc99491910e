"""What each lever adds to strict mclSTExp: one table in Markdown, one change a row.

Run `python benchmarks/ablation_mclstexp.py DATA [mob_st | her2st]`, DATA (or `$MCLSTEXP_DATA`) holding `mob_st/` and
`her2st/` with `gene_lists/her2st_785.txt`. One section is left out in turn; everything is fitted and chosen on the
others. Intervals are t intervals over sections of the mean PCC (all genes), and of its difference to the
reference's on the same sections: with three or five sections they are narrow by nature, and a guide at most.
"""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.panel import select_hvg
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import folds_by_section
from mclstexp.evaluation.exam import HEG50, Rules, prepare
from mclstexp.evaluation.metrics import pcc
from mclstexp.evaluation.resampling import mean_interval
from mclstexp.io.read import read_sections
from mclstexp.methods import create

ENCODER = "efficientnet_lite0"
FIXED: dict[str, Any] = {"epochs": 20, "k": 200, "sharpness": 0.5, "context_share": 0.5, "symmetric": False}
"""What the nested choices usually come to, on upright tiles; held fast, so that a row differs by its lever alone."""
CHANGES: dict[str, dict[str, Any]] = {
    "reference: 20 epochs, 200 spots, sharpness 0.5, half context; upright tiles": FIXED,
    "reference, seed 1": FIXED | {"seed": 1},
    "reference, seed 2": FIXED | {"seed": 2},
    "these four chosen on training sections": {"symmetric": False},
    "chosen, seed 1": {"symmetric": False, "seed": 1},
    "chosen, seed 2": {"symmetric": False, "seed": 2},
    "**default**: chosen, and features averaged over 8 symmetries": {},
    "default, seed 1": {"seed": 1},
    "default, seed 2": {"seed": 2},
    "no wider views": FIXED | {"view_widths": ()},
    "no tile context": FIXED | {"context_radii_um": ()},
    "tile context in every model": FIXED | {"context_share": 1.0},
    "neither views nor context": FIXED | {"view_widths": (), "context_radii_um": ()},
    "context in every model, no views": FIXED | {"view_widths": (), "context_share": 1.0},
    "views as large as the tile (224 px)": FIXED | {"view_size_px": 224},
    "features averaged over 8 symmetries": FIXED | {"symmetric": True},
    "one model (with context)": FIXED | {"n_models": 1, "context_share": 1.0},
    "two models": FIXED | {"n_models": 2},
    "eight models": FIXED | {"n_models": 8},
    "100 spots of equal weight": FIXED | {"k": 100, "sharpness": 0.0},
    "softmax at the learnt temperature": FIXED | {"sharpness": 1.0},
    "linear spot encoder": FIXED | {"n_blocks": 0},
    "dropout 0.3": FIXED | {"dropout": 0.3},
    "soft targets from expression (0.1)": FIXED | {"soft_temperature": 0.1},
    "a regression head, a fifth of the prediction": FIXED | {"regression_share": 0.2},
    "the same with 1 - PCC in its loss": FIXED | {"regression_share": 0.2, "correlation_weight": 1.0},
    "1 - PCC in the loss, retrieval alone predicts": FIXED | {"correlation_weight": 1.0},
}
N_CONFIRMED = 14
"""Rows that her2st is asked about: levers are chosen on mob_st, and her2st confirms the largest."""


def read(data: Path, name: str) -> tuple[list[Section], partial]:
    """Return sections and the rule of the panel, as in configs/mob_st.toml and configs/her2st_c.toml."""
    spec = TileSpec(224, 0.5)
    if name == "mob_st":
        patients = dict.fromkeys(("rep01", "rep02", "rep04"), "mouse")
        sections = read_sections(data / name, format="st_folder", spec=spec, patients=patients)
        return sections, partial(ExpressionSpace.fit, genes=partial(select_hvg, n_genes=1000))
    names = ["C2", "C3", "C4", "C5", "C6"]
    sections = read_sections(data / name, format="her2st", spec=spec, sections=names)
    return sections, partial(ExpressionSpace.fit, genes=(data / "gene_lists" / "her2st_785.txt").read_text().split())


def score(sections: list[Section], space: partial, options: dict) -> np.ndarray:
    """Return (n_sections, 2) mean PCC over all genes and over the 50 of highest expression."""
    rows = []
    for fold in folds_by_section(sections):
        exam = prepare(fold, Rules(space=space, gene_sets=HEG50))
        model = create("mclstexp", encoder=ENCODER, **options).fit(exam.fold.train, space=exam.space)
        (test,) = exam.fold.test
        r = np.nan_to_num(pcc(exam.space(test.counts), model.predict(test.tiles).X))
        rows.append((r.mean(), r[exam.gene_sets["heg50"]].mean()))
    return np.array(rows)


def main(data: Path, name: str) -> None:
    print(f"| {name}: change | PCC, all | 95 % interval | PCC, top 50 | against the reference | 95 % interval |")
    print("|---|---:|---:|---:|---:|---:|")
    sections, space = read(data, name)
    reference = None
    for label, options in list(CHANGES.items())[: None if name == "mob_st" else N_CONFIRMED]:
        found = score(sections, space, options)
        reference = found if reference is None else reference
        low, high = mean_interval(found[:, 0])
        against = "| | |"
        if found is not reference:
            apart = found[:, 0] - reference[:, 0]
            below, above = mean_interval(apart)
            against = f"| {apart.mean():+.4f} | {below:+.4f} to {above:+.4f} |"
        every, top = found.mean(axis=0)
        print(f"| {label} | {every:.4f} | {low:.3f} to {high:.3f} | {top:.4f} {against}", flush=True)


if __name__ == "__main__":
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MCLSTEXP_DATA")
    if given is None:
        print("skipped: give the folder of the data, or set MCLSTEXP_DATA")
    else:
        for which in sys.argv[2:] or ("mob_st", "her2st"):
            main(Path(given), which)
            print()
