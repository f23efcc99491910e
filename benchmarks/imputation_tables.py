"""How well hidden genes are imputed: the tables of docs/impute.md.

Run `python benchmarks/imputation_tables.py DATA {bulb,breast,cortex} [--methods spage tangram:cluster …] [--by gene]`,
with DATA the folder that CONTRIBUTING.md describes. "bulb": spots of mob_st rep02, without their places, for rep01.
"breast": cells of CID4465 for section B1 of her2st. "cortex": half of the osmFISH cells, drawn and without places, for
the other half; each of its genes is hidden alone, and with others in five folds. `tangram:cell` lays every cell,
`tangram:cluster` the mean cell of each type (`celltype_minor`, `cluster`); `tangram:cell:summed` adds up what lies on a
spot, as published. `--in-cells 0.1` leaves genes out of the reference that fewer of its cells express.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData, read_h5ad

from mclstexp.core.imputer import ROOM, Imputer
from mclstexp.imputation import create_imputer
from mclstexp.imputation.gene_folds import folds_of_genes, genes_to_score
from mclstexp.imputation.judge import judge_imputation, score_fold, split_half, summarise_imputation
from mclstexp.io.counts_alone import read_counts

TYPES = {"breast": "celltype_minor", "cortex": "cluster"}
warnings.filterwarnings("ignore", ".* have no counts: .*")


def pair_of(data: Path, name: str) -> tuple[AnnData, AnnData]:
    """Read a section and a reference."""
    if name == "bulb":
        section, reference = (data / "mob_st" / rep / "counts.tsv.gz" for rep in ("rep01", "rep02"))
    elif name == "breast":
        section = data / "her2st" / "data" / "ST-cnts" / "B1.tsv.gz"
        reference = data / "single_cell" / "breast_tnbc_CID4465.h5ad"
    else:
        cells = read_h5ad(data / "osmfish_cortex" / "osmfish_ss_cortex.h5ad")
        cells = cells[cells.obs["valid"].to_numpy(bool)].copy()
        drawn = np.random.default_rng(0).permutation(cells.n_obs)
        halves = np.array_split(drawn, 2)
        return cells[np.sort(halves[0])].copy(), cells[np.sort(halves[1])].copy()
    return read_counts(section, what="the section"), read_counts(reference, what="the reference")


def method(label: str, *, name: str) -> Imputer:
    """Make a method, `tangram` with its mode and the like after colons."""
    way, *said = label.split(":")
    options: dict[str, object] = {"summed": True} if "summed" in said else {}
    if said:
        options |= {"mode": said[0], "cell_type": TYPES.get(name) if said[0] == "cluster" else None}
    return create_imputer(way, **options)


def hidden_alone(section: AnnData, reference: AnnData, methods: dict[str, Imputer]) -> pd.DataFrame:
    """Hide each gene alone."""
    genes = genes_to_score(section, reference)
    halves = dict(zip(genes, split_half(section, genes), strict=True))
    found = []
    for fold in folds_of_genes(section, reference, genes=genes, n_folds=len(genes)):
        of_fold = {"hidden_by": "gene alone", "split_half": [halves[gene] for gene in fold.asked]}
        for label, imputer in methods.items():
            found.append(score_fold(imputer, fold, section, reference).assign(method=label, **of_fold))
    return pd.concat(found, ignore_index=True)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("name", choices=["bulb", "breast", "cortex"])
    parser.add_argument("--methods", nargs="+", default=list(ROOM.ready()))
    parser.add_argument("--by", nargs="+", choices=["gene", "cluster", "alone"])
    parser.add_argument("--in-cells", type=float, default=0.0)
    given = parser.parse_args()
    section, reference = pair_of(given.data, given.name)
    often = np.asarray((reference.X > 0).mean(axis=0)).ravel() >= given.in_cells
    reference = reference[:, often].copy()
    methods = {label: method(label, name=given.name) for label in given.methods}
    begun = time.perf_counter()
    by = given.by or (["alone", "gene"] if given.name == "cortex" else ["gene", "cluster"])
    scores = [hidden_alone(section, reference, methods)] if "alone" in by else []
    by = [how for how in by if how != "alone"]
    scores += [judge_imputation(section, reference, methods, by=by)] if by else []
    summary = summarise_imputation(pd.concat(scores))
    print(f"{given.name}: {section.n_obs} spots, {reference.n_obs} cells, {time.perf_counter() - begun:.0f} s")
    print(summary.round(3).to_string())


if __name__ == "__main__":
    main()
