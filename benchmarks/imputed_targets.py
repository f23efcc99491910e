"""Imputed genes as targets of image models, judged on genes hidden from imputer and model: a table of docs/impute.md.

Run `python benchmarks/imputed_targets.py DATA {bulb,breast} [--methods ridge mclstexp]`, with DATA the folder that
CONTRIBUTING.md describes. "bulb" learns from rep01 of mob_st, with the spots of rep02, without their places, as
reference, and is asked rep04. "breast" learns from C2 and C3 of her2st with the cells of CID4465, and is asked C6 (the
same patient) and B4 (another). Of the 400 genes that vary most on the first training section, half is taken out of
all training sections, imputed there from what is left and the reference, and learnt by the image model; then the other
half. Scores are of the asked section's measured counts. Beside it stand the same model taught the measured counts of
these genes, one map of density for all genes, and the mean.
"""

import argparse
import dataclasses
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

import mclstexp as mx
from mclstexp.core import keys
from mclstexp.core.pairing import log_shares
from mclstexp.core.predictor import Predictor
from mclstexp.core.section import Section
from mclstexp.evaluation.metrics import pcc, pcc_depth
from mclstexp.imputation import create_imputer
from mclstexp.imputation.gene_folds import folds_of_genes, genes_to_score
from mclstexp.imputation.targets import LEAST, impute_targets
from mclstexp.io.counts_alone import read_counts
from mclstexp.io.read import read_sections

ENCODER = "efficientnet_lite0"
warnings.filterwarnings("ignore", ".*counts.*")


def read(data: Path, name: str) -> tuple[list[Section], list[Section], AnnData]:
    """Read sections to learn from, sections to ask, and the reference."""
    if name == "bulb":
        sections = [read_sections(data / "mob_st" / rep)[0] for rep in ("rep01", "rep04")]
        reference = read_counts(data / "mob_st" / "rep02" / "counts.tsv.gz", what="the reference")
        return sections[:1], sections[1:], reference
    sections = read_sections(data / "her2st" / "data", sections=["C2", "C3", "C6", "B4"])
    reference = read_counts(data / "single_cell" / "breast_tnbc_CID4465.h5ad", what="the reference")
    return sections[:2], sections[2:], reference


def without(section: Section, genes: frozenset[str]) -> Section:
    """Take genes out of a section."""
    kept = ~section.counts.var_names.isin(list(genes))
    return dataclasses.replace(section, counts=section.counts[:, kept].copy())


def scores(
    train: list[Section], test: list[Section], reference: AnnData, *, labels: list[str]
) -> Iterator[pd.DataFrame]:
    """Score each hidden gene on each section that is asked."""
    first = train[0].counts[np.asarray(train[0].counts.X.sum(axis=1)).ravel() > 0].copy()
    everywhere = set.intersection(*(set(section.genes) for section in [*train, *test]))
    shared = reference[:, reference.var_names.isin(list(everywhere))].copy()
    genes = genes_to_score(first, shared)
    for fold in folds_of_genes(first, shared, genes=genes, n_folds=2):
        bare = [without(section, fold.hidden) for section in train]
        ready = impute_targets(bare, reference, imputer=create_imputer("gene_ridge"), genes=fold.asked)
        expected = ready[0].counts.uns[keys.EXPECTED_COUNTS]["expected_pcc"]
        for label in labels:
            options = {} if label == "mean" else {"encoder": ENCODER}
            taught = {"imputed": mx.create(label, **options).fit(ready)}
            taught["measured"] = mx.create(label, **options).fit(train, space=taught["imputed"].space_)
            for targets, model in taught.items():
                for section in test:
                    yield scored(model, section, fold.asked).assign(
                        method=label, targets=targets, expected=[expected.get(gene, np.nan) for gene in fold.asked]
                    )


def scored(model: Predictor, section: Section, genes: tuple[str, ...]) -> pd.DataFrame:
    """Hold what a model predicts against what was measured."""
    kept = np.asarray(section.counts.X.sum(axis=1)).ravel() > 0
    predicted = model.predict(section.tiles)[kept, list(genes)].X
    counts = section.counts[kept]
    truth = log_shares(counts.X)[:, counts.var_names.get_indexer(genes)].toarray()
    depth = np.asarray(counts.X.sum(axis=1), np.float64).ravel()
    given_depth = pcc_depth(truth, predicted, depth=depth)
    return pd.DataFrame(
        {
            "asked": section.id,
            "gene": genes,
            "pcc": pcc(truth, predicted),
            "pcc_depth": given_depth,
        }
    )


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("name", choices=["bulb", "breast"])
    parser.add_argument("--methods", nargs="+", default=["mean", "density", "ridge", "mclstexp"])
    given = parser.parse_args()
    train, test, reference = read(given.data, given.name)
    found = pd.concat(scores(train, test, reference, labels=given.methods), ignore_index=True)
    by = ["asked", "method", "targets"]
    table = found.groupby(by)[["pcc", "pcc_depth"]].mean()
    good = found[found["expected"] >= LEAST]
    table["pcc, expected 0.3"] = good.groupby(by)["pcc"].mean()
    table["n, expected 0.3"] = good.groupby(by)["gene"].nunique()
    print(table.round(3).to_string())
    varies = found[(found["targets"] == "imputed") & (found["method"] != "mean")]
    for name, some in varies.groupby(["asked", "method"]):
        print(*name, "expected score of a gene and its score: r =", round(some["expected"].corr(some["pcc"]), 2))


if __name__ == "__main__":
    main()
