"""What a measured corner of a new slide is worth: the table of docs/adapt.md.

`python benchmarks/adaptation.py DATA {mice,breast} [--out TABLE.csv]`. "mice": mob_2k, each mouse's two sections from
those of the other; "breast": her2st, B4 from C2 to C6 and C2 to C4 from B4; the 200 most variable genes of training
that the others have. A quarter of the spots in each of the four corners is measured in turn; scored are those that lie
further than two spots' distances from all of them.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from mclstexp.core.adaptation import Adaptation
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.measured import learnable
from mclstexp.core.panel import select_hvg
from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.enhancement.gaussian_process import predict as krige
from mclstexp.enhancement.kriging import Kriging
from mclstexp.evaluation.metrics import pcc, pcc_depth
from mclstexp.io.pitch import neighbour_distance_px
from mclstexp.io.read import read_sections
from mclstexp.methods import create
from mclstexp.methods.ridge import ALPHAS, fit_probe
from mclstexp.sight.sight import colour_numbers

SPEC = TileSpec(224, 0.5)
PENALTIES = (30.0, 100.0, 300.0, 1000.0, 3000.0, float("inf"))
GAP = 2.0
"""Distances of neighbouring spots between the corner and what is scored."""


def rounds(data: Path, name: str) -> list[tuple[list[Section], list[Section]]]:
    """Return who is learnt from, and who is asked."""
    if name == "mice":
        bulbs = [read_sections(data / f"mob_2k/MOB{n}.h5ad", spec=SPEC, mpp=3.5)[0] for n in range(1, 5)]
        return [(bulbs[:2], bulbs[2:]), (bulbs[2:], bulbs[:2])]
    names = ["B4", "C2", "C3", "C4", "C5", "C6"]
    b4, *others = read_sections(data / "her2st/data", spec=SPEC, sections=names)
    return [(others, [b4]), ([b4], others[:3])]


def corner_and_rest(section: Section, way: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the quarter of the spots that lies furthest towards a corner, and those well beyond it."""
    xy = section.tiles.xy
    corner = np.argsort(-(xy @ np.array(way)), kind="stable")[: len(xy) // 4]
    pitch_px = neighbour_distance_px(xy) or 1.0
    away = cKDTree(xy[corner]).query(xy)[0] > GAP * pitch_px
    return corner, np.flatnonzero(away)


def answers(model: object, section: Section, corner: np.ndarray, rest: np.ndarray) -> dict[str, np.ndarray]:
    """Return what each way says of the rest; none looks at its counts."""
    space: ExpressionSpace = model.space_  # type: ignore[attr-defined]
    predicted = model.predict(section.tiles).X.astype(np.float64)  # type: ignore[attr-defined]
    stain = colour_numbers(section.tiles).astype(np.float64)
    measured = space(section.take(corner).counts).astype(np.float64)
    xy_um = section.tiles.xy_um
    kriging = krige(Kriging().learn(xy_um[corner], measured), xy_um[corner], measured, xy_um[rest])[0]
    coef, intercept, _ = fit_probe(stain[corner], measured, n_components=15, alphas=ALPHAS, splits=None)
    found = {
        "no adaptation": predicted[rest],
        "corner alone: mean": np.tile(measured.mean(axis=0), (len(rest), 1)),
        "corner alone: kriging": kriging,
        "corner alone: colour": stain[rest] @ coef + intercept,
    }
    for penalty in PENALTIES:
        adaptation = Adaptation.learn(predicted[corner], measured, penalty=penalty)
        found[f"adapted, penalty {penalty:g}"] = adaptation.apply(predicted[rest])
    return found


def score(section: Section, rest: np.ndarray, space: ExpressionSpace, said: np.ndarray) -> dict[str, float]:
    """Score over genes that vary."""
    counts = section.take(rest).counts
    truth = space(counts).astype(np.float64)
    depth = np.asarray(counts.X.sum(axis=1), np.float64).ravel()
    return {
        "pcc": float(np.nanmean(pcc(truth, said))),
        "pcc_depth": float(np.nanmean(pcc_depth(truth, said, depth=depth))),
        "rmse": float(np.sqrt(((truth - said) ** 2).mean())),
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("name", choices=["mice", "breast"])
    parser.add_argument("--method", default="ridge")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for train, test in rounds(given.data, given.name):
        options = {} if given.method in ("colour", "mean", "density") else {"encoder": "efficientnet_lite0"}
        shared = set.intersection(*(set(section.genes) for section in test))
        chosen = [gene for gene in select_hvg(train, n_genes=400) if gene in shared][:200]
        space = ExpressionSpace.fit(train, genes=chosen)
        model = create(given.method, **options).fit(train, space=space)
        for section in learnable(test, space=model.space_):
            for way in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                corner, rest = corner_and_rest(section, way)
                for label, said in answers(model, section, corner, rest).items():
                    of = {"section": section.id, "corner": str(way), "n_corner": len(corner), "n_rest": len(rest)}
                    rows.append({"way": label, **of, **score(section, rest, model.space_, said)})
    table = pd.DataFrame(rows)
    if given.out is not None:
        table.to_csv(given.out, index=False)
    # corners of a section, then sections of a round, weigh alike
    print(table.groupby(["way", "section"], sort=False)[["pcc", "pcc_depth", "rmse"]].mean().round(4).to_string())
    print(
        table.groupby("way", sort=False)[["n_corner", "n_rest", "pcc", "pcc_depth", "rmse"]].mean().round(4).to_string()
    )


if __name__ == "__main__":
    main()
