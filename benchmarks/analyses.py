"""What the analyses say on an evaluation: the numbers of docs/analysis.md.

Run `python benchmarks/analyses.py RESULTS [--gene-sets FILE.gmt] [--method METHOD]`, RESULTS a folder that
`mclstexp evaluate` wrote with predictions. `python benchmarks/analyses.py HER2ST --labelled` instead divides the eight
sections of her2st that a pathologist labelled, as measured, and needs their images beside the tables.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import mclstexp as mx
from mclstexp import analysis
from mclstexp.analysis.gene_ranking import VERDICTS
from mclstexp.core import keys

LABELLED = ["A1", "B1", "C1", "D1", "E1", "F1", "G2", "H1"]


def ranking(pairs: Sequence[analysis.Pair]) -> None:
    table = analysis.rank_genes(pairs)
    show("genes by verdict and reason", table.groupby(["verdict", "why"]).size().rename("genes").reset_index())
    sections = analysis.rank_genes(pairs, unit="section")
    counts = {unit: found["verdict"].value_counts() for unit, found in (("patient", table), ("section", sections))}
    show(
        'verdicts by "unit"', pd.DataFrame(counts).reindex(VERDICTS, fill_value=0).rename_axis("verdict").reset_index()
    )
    uncorrected = int((table["score"] > -np.log10(0.05)).sum())
    print(f"{uncorrected} of {len(table)} genes have a published score beyond -log10 0.05\n")
    shown = table.loc[
        [*table.index[:3], table.index[len(table) // 2]], ["score", "pcc", "ceiling", "share", "q", "verdict"]
    ]
    show("the first three and the middle one", shown.reset_index())


def domains(pairs: Sequence[analysis.Pair]) -> None:
    labelled = analysis.labels_of(pairs[0]) is not None
    ways = ("paper", "leiden") if labelled else ("leiden",)
    tables = pd.concat([analysis.compare_domains(pair, way=way) for way in ways for pair in pairs])
    numbers = ["n_domains", "n_against", "ari", "nmi"]
    show(
        "domains, means over sections",
        tables.groupby(["way", "of", "against"], sort=False)[numbers].mean().reset_index(),
    )


def structure(pairs: Sequence[analysis.Pair]) -> None:
    truth, predicted = (table.to_numpy() for table in analysis.gene_correlations(pairs))
    upper = np.triu_indices(len(truth), 1)
    both = pd.DataFrame({"truth": truth[upper], "predicted": predicted[upper]})
    print(
        f"{len(truth)} genes with most counts, {len(both)} pairs: mean |r| {both['truth'].abs().mean():.2f} in the "
        f"truth, {both['predicted'].abs().mean():.2f} in the prediction, agreement {both.corr().iloc[0, 1]:.2f}\n"
    )
    recovered = analysis.recover_svgs(pairs)
    recovered.insert(6, "share_by_others", others_know(analysis.spatial_variability(pairs)))
    show("spatially variable genes", recovered)


def others_know(genes: pd.DataFrame) -> list[float]:
    """Look for each section's variable genes among as many of highest mean Moran's I in the other sections' truth."""
    shares = []
    for _, own in genes.groupby("section", sort=False):
        others = genes[genes["section"] != own["section"].iloc[0]].groupby("gene")["moran_truth"].mean()
        wanted = set(own.loc[own["svg_truth"], "gene"])
        known = others[others.index.isin(own.loc[own["moran_truth"].notna(), "gene"])]
        shares.append(len(wanted.intersection(known.nlargest(len(wanted)).index)) / len(wanted))
    return shares


def gene_sets(pairs: Sequence[analysis.Pair], path: Path) -> None:
    sets = analysis.read_gmt(path)
    table = analysis.compare_gene_sets(pairs, sets)
    columns = ["n_genes", "n_found", "pcc", "p_spatial", "q", "pcc_random", "beats"]
    show(f"gene sets of {path.name}", table[columns].reset_index())
    for which in ("truth", "predicted"):
        together = [analysis.score_gene_sets(pair, sets, which=which).corr() for pair in pairs]
        show(f"scores of two sets, their correlation, {which}", (sum(together) / len(pairs)).reset_index(names="set"))


def labels(her2st: Path) -> None:
    tables = []
    for section in mx.read_sections(her2st, format="her2st", sections=LABELLED):
        space = mx.ExpressionSpace.fit([section])
        measured = section.counts[:, list(space.genes)].copy()
        measured.X = space(section.counts)
        said = {name: value for name, value in space.to_dict().items() if name != "genes"}
        measured.uns[keys.PROVENANCE] = {"space": said}
        pair = analysis.Pair(section, measured)  # the truth in the place of a prediction
        tables += [analysis.compare_domains(pair, way=way) for way in ("paper", "leiden")]
    table = pd.concat(tables)
    table = table[(table["of"] == "truth") & (table["against"] == "labels")]
    show("domains of the truth against labels", table.drop(columns=["of", "against"]))


def show(title: str, table: pd.DataFrame) -> None:
    print(f"-- {title}\n{table.to_string(index=False, float_format=lambda x: f'{x:.3f}')}\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gene-sets", type=Path)
    parser.add_argument("--method")
    parser.add_argument("--labelled", action="store_true")
    asked = parser.parse_args()
    if asked.labelled:
        labels(asked.folder)
        return
    pairs = analysis.read_pairs(asked.folder, asked.method)
    for part in (ranking, domains, structure):
        part(pairs)
    if asked.gene_sets:
        gene_sets(pairs, asked.gene_sets)


if __name__ == "__main__":
    main()
