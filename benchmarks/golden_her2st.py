"""Golden numbers of her2st: run `python benchmarks/golden_her2st.py DATA` and read expected beside found.

Counts of the 32 sections A2…G3 and the 785-gene panel of the mclSTExp paper, no image. They fix the readers, the two
published expression scales, the metrics and the controls: whoever gets these numbers reads the same data the same way.
DATA holds `her2st/data/ST-cnts/*.tsv.gz` and `gene_lists/her2st_785.txt`.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from mclstexp.core.expression import ExpressionSpace
from mclstexp.evaluation.ceiling import depth_oracle, noise_ceiling
from mclstexp.evaluation.metrics import mae, mse

EXPECTED: dict[str, float] = {
    "spots": 11_548,
    "spots without a count of the panel": 22,
    "gene scale: constant, other sections, MSE": 0.7115,
    "gene scale: constant, other sections, MAE": 0.6716,
    "gene scale: constant, other patients, MSE": 0.7271,
    "gene scale: constant, own section, MSE": 0.6394,
    "gene scale: constant, own section, MAE": 0.6196,
    "gene scale: depth alone, PCC all": 0.304,
    "gene scale: depth alone, PCC top 50": 0.581,
    "spot scale: constant, other sections, MSE": 0.3203,
    "spot scale: constant, other sections, MAE": 0.4410,
    "spot scale: constant, other patients, MSE": 0.3348,
    "spot scale: constant, own section, MSE": 0.2615,
    "spot scale: constant, own section, MAE": 0.3841,
    "spot scale: depth alone, PCC all": 0.203,
    "spot scale: depth alone, PCC top 50": 0.278,
    "spot 1e6 ln: constant, other sections, MSE": 10.051,
    "spot 1e6 ln: constant, other sections, MAE": 2.579,
}
"""Computed once by other means from the published files, to the digits given."""

CEILING = {"all": (0.40, 0.44), "top 50": (0.62, 0.79)}
"""Noise ceiling of each of C2…C6 on the spot scale."""


def read(data: Path) -> tuple[tuple[str, ...], dict[str, AnnData]]:
    """Return the panel and each section's counts by name; a section's first letter is its patient."""
    genes = tuple((data / "gene_lists" / "her2st_785.txt").read_text().split())
    files = sorted((data / "her2st" / "data" / "ST-cnts").glob("*.tsv.gz"))
    return genes, {file.name.split(".")[0]: _counts(file) for file in files[1:33]}


def _counts(file: Path) -> AnnData:
    table = pd.read_csv(file, sep="\t", index_col=0)
    return AnnData(
        sparse.csr_matrix(table.to_numpy(np.int32)),
        obs=pd.DataFrame(index=table.index.astype(str)),
        var=pd.DataFrame(index=table.columns.astype(str)),
    )


def golden(genes: tuple[str, ...], sections: dict[str, AnnData]) -> dict[str, float]:
    """Return what `EXPECTED` lists."""
    spot = ExpressionSpace(genes)
    found: dict[str, float] = {
        "spots": sum(counts.n_obs for counts in sections.values()),
        "spots without a count of the panel": sum(
            int((spot.counts(counts).sum(axis=1) == 0).sum()) for counts in sections.values()
        ),
    }
    scales = {
        "gene scale": ExpressionSpace(genes, axis="gene"),
        "spot scale": spot,
        "spot 1e6 ln": ExpressionSpace(genes, target_sum=1e6, log_base=float(np.e)),
    }
    for name, space in scales.items():
        truths = {section: space(counts) for section, counts in sections.items()}
        for trained_on, chosen in _TRAINED_ON.items():
            errors = _constant(truths, chosen)
            found |= {f"{name}: constant, {trained_on}, {metric}": error for metric, error in errors.items()}
        depth = {section: depth_oracle(counts, space=space) for section, counts in sections.items()}
        found |= {f"{name}: depth alone, PCC {genes}": r for genes, r in _means(depth, truths).items()}
    return {name: found[name] for name in EXPECTED}


def ceiling(genes: tuple[str, ...], sections: dict[str, AnnData]) -> dict[str, dict[str, float]]:
    """Return the noise ceiling of C2…C6 on the spot scale, by section."""
    space = ExpressionSpace(genes)
    return {
        name: _means({name: noise_ceiling(sections[name], space=space)}, {name: space(sections[name])})
        for name in ("C2", "C3", "C4", "C5", "C6")
    }


_TRAINED_ON: dict[str, Callable[[str, str], bool]] = {
    "other sections": lambda one, other: one != other,
    "other patients": lambda one, other: one[0] != other[0],
    "own section": lambda one, other: one == other,
}


def _constant(truths: dict[str, np.ndarray], chosen: Callable[[str, str], bool]) -> dict[str, float]:
    """Error of predicting each gene's mean over the spots of the chosen sections, mean over sections."""
    errors = []
    for name, truth in truths.items():
        trained_on = np.concatenate([other for key, other in truths.items() if chosen(name, key)])
        predicted = np.broadcast_to(trained_on.mean(axis=0, dtype=np.float64), truth.shape)
        errors.append((mse(truth, predicted).mean(), mae(truth, predicted).mean()))
    return dict(zip(("MSE", "MAE"), np.mean(errors, axis=0).tolist(), strict=True))


def _means(per_gene: dict[str, np.ndarray], truths: dict[str, np.ndarray]) -> dict[str, float]:
    """Mean over genes, then sections; the top 50 are each section's own, as the published numbers choose them."""
    top = {name: np.argsort(-truth.mean(axis=0), kind="stable")[:50] for name, truth in truths.items()}
    return {
        "all": float(np.mean([np.nanmean(values) for values in per_gene.values()])),
        "top 50": float(np.mean([np.nanmean(values[top[name]]) for name, values in per_gene.items()])),
    }


def agrees(name: str, found: float) -> bool:
    """Whether a number rounds to the expected one."""
    digits = len(str(EXPECTED[name]).partition(".")[2])
    return abs(found - EXPECTED[name]) <= 0.5001 * 10.0**-digits


if __name__ == "__main__":
    panel, counts = read(Path(sys.argv[1]))
    for key, value in golden(panel, counts).items():
        print(f"{key:45} expected {EXPECTED[key]:>10} found {value:12.5f} {'ok' if agrees(key, value) else 'DIFFERS'}")
    for section, values in ceiling(panel, counts).items():
        print(f"noise ceiling {section}: all {values['all']:.3f}, top 50 {values['top 50']:.3f} (0.40-0.44, 0.62-0.79)")
