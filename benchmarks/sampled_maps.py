"""Means and draws beside what was measured: variance, smoothness, spatially variable genes, co-expression.

Run `python benchmarks/sampled_maps.py DATA [METHOD]`, DATA holding `mob_2k` (STUtility's examples as h5ad with their
pictures): each of two mice is predicted by a model of the other; METHOD is knn with 100 neighbours by default.
"""

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mclstexp.analysis.pairs import Pair
from mclstexp.analysis.structure import gene_correlations, recover_svgs
from mclstexp.core.predictor import Predictor
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import folds_by_patient
from mclstexp.evaluation.exam import Rules, prepare
from mclstexp.evaluation.metrics import dispersion, pcc
from mclstexp.evaluation.structure import moran_error
from mclstexp.io.read import read_sections
from mclstexp.methods import create
from mclstexp.retrieval.drawn import Drawn

ENCODER = "efficientnet_lite0"
LENGTHS_UM = (1.0, 100.0, 200.0, 400.0, 800.0)


def measure(pairs: list[Pair]) -> dict[str, float]:
    """Compare predictions with what was measured, on average over genes and sections."""
    truth, predicted = gene_correlations(pairs, n_genes=40)
    off = np.triu_indices(len(truth), 1)
    errors = [moran_error(pair.truth, pair.guess, weights=pair.weights) for pair in pairs]
    return {
        "PCC": float(np.mean([np.nanmean(pcc(pair.truth, pair.guess)) for pair in pairs])),
        "dispersion": float(np.mean([np.nanmean(dispersion(pair.truth, pair.guess)) for pair in pairs])),
        "Moran's error": float(np.mean([np.nanmean(error) for error in errors])),
        "SVGs found": float(recover_svgs(pairs)["share"].mean()),
        "pairs beyond 0.5": float((predicted.to_numpy()[off] > 0.5).mean()),
        "measured": float((truth.to_numpy()[off] > 0.5).mean()),
        "error of correlations": float(np.sqrt(np.mean((predicted.to_numpy()[off] - truth.to_numpy()[off]) ** 2))),
    }


def main(data: Path, name: str) -> None:
    """Print the table."""
    sections = read_sections(data / "mob_2k", mpp=3.5, spec=TileSpec(64, 3.5))
    exams = [prepare(fold, Rules()) for fold in folds_by_patient(sections)]
    options = {"encoder": ENCODER} | ({"k": 100} if name == "knn" else {})
    models = [create(name, **options).fit(exam.fold.train, space=exam.space) for exam in exams]

    def pairs(of) -> list[Pair]:
        asked: list[tuple[Predictor, object]] = [(of(model), exam) for model, exam in zip(models, exams, strict=True)]
        return [Pair(s, model.predict(s.tiles)) for model, exam in asked for s in exam.fold.test]

    rows = {"mean": measure(pairs(lambda model: model))}
    for length in LENGTHS_UM:
        drawn = [measure(pairs(partial(Drawn.of, seed=seed, length_um=length))) for seed in range(3)]
        rows[f"draws, {length:g} µm"] = pd.DataFrame(drawn).mean().to_dict()
    print("| | " + " | ".join(rows["mean"]) + " |\n|---|" + "---:|" * len(rows["mean"]))
    for label, values in rows.items():
        print(f"| {label} | " + " | ".join(f"{value:.3f}" for value in values.values()) + " |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "knn")
    else:
        print(__doc__)
