"""Which method ranks true biomarkers: the tables of docs/biomarkers.md.

Run `python benchmarks/biomarkers.py [--data DATA] [--tables planted null her2st …] [--seeds 3]`. planted: 300 rows to
learn, 1,000 new ones, biomarkers known; null: the same with permuted labels. her2st (DATA/her2st): cancer against the
rest on eight labelled sections, each patient left out; permuted: the same with permuted labels. mob_st: the granule
layer, with features of the image too.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mclstexp.analysis.association.from_sections import expression_table, image_features, label_table
from mclstexp.analysis.association.from_sections import labelled as sections_with_labels
from mclstexp.analysis.biomarkers.find import find_biomarkers, make_ranker, permuted_scores
from mclstexp.analysis.biomarkers.gmind import GMind
from mclstexp.analysis.biomarkers.modalities import Modalities
from mclstexp.analysis.biomarkers.planted import average_precision, plant
from mclstexp.analysis.biomarkers.rankers import auc
from mclstexp.core import keys
from mclstexp.core.expression import ExpressionSpace
from mclstexp.domains.agreement import annotated
from mclstexp.io.read import read_sections
from mclstexp.io.tables import read_st_counts
from mclstexp.sight.sight import Sight
from mclstexp.training.gmind import GMindOptions

LABELLED = ("A1", "B1", "C1", "D1", "E1", "F1", "G2", "H1")
CANCER = ("invasive cancer", "cancer in situ")


def labelled(data, name):
    """Read counts and labels of a section of her2st, without its image."""
    counts = read_st_counts(data / "her2st" / "data" / "ST-cnts" / f"{name}.tsv.gz")
    rows = pd.read_csv(data / "her2st" / "data" / "ST-pat" / "lbl" / f"{name}_labeled_coordinates.tsv", sep="\t")
    rows = rows.dropna(subset=["x", "y"])
    rows.index = [f"{x:.0f}x{y:.0f}" for x, y in zip(rows["x"], rows["y"], strict=True)]
    counts = counts[counts.obs_names.isin(rows.index)].copy()
    counts.obs[keys.LABEL] = rows.loc[counts.obs_names, "label"].to_numpy(object)
    return counts


def planted(asked, *, permuted=False):
    rows = []
    ways = {name: partial(make_ranker, name) for name in asked.methods}
    if "gmind" in ways and not permuted:
        ways["gmind, every step"] = lambda: GMind(patience=None)
        ways["gmind, no kind dropped"] = lambda: GMind(patience=None, training=GMindOptions(drop=0.0))
    for seed in range(asked.seeds):
        train, test, whole = plant(300, seed=1, world=seed), plant(1000, seed=2, world=seed), None
        whole = plant(1000, seed=3, world=seed, missing=0.0)
        labels = np.random.default_rng(seed).permutation(train.labels) if permuted else train.labels
        for name, make in ways.items():
            began = time.monotonic()
            ranker = make().fit(train.modalities, labels, [str(k) for k in range(300)])
            took = time.monotonic() - began
            scores = np.abs(np.concatenate(ranker.scores()))
            true = np.concatenate(train.true)
            first = whole.modalities.only(np.array([True, False, False]))
            rows.append(
                {
                    "method": name,
                    "AUC, missing": auc(ranker.logits(test.modalities), test.labels),
                    "complete": auc(ranker.logits(whole.modalities), whole.labels),
                    "kind 1 alone": auc(ranker.logits(first), whole.labels),
                    "AP of ranking": average_precision(scores, true),
                    "AUC of ranking": auc(scores, true.astype(float)),
                    "true": scores[true].mean(),
                    "others": scores[~true].mean(),
                    "steps": getattr(ranker, "steps_", np.nan),
                    "s": took,
                }
            )
            print(seed, rows[-1], flush=True)
    table = pd.DataFrame(rows).groupby("method", sort=False).mean()
    print(
        f"\n{'labels permuted' if permuted else 'planted'}, {asked.seeds} seeds\n{table.round(3).to_string()}",
        flush=True,
    )


def cancer(data):
    """Return genes of eight labelled sections of her2st, whether each spot is cancer, and whose it is."""
    panel = (data / "gene_lists" / "her2st_785.txt").read_text().split()
    space = ExpressionSpace(tuple(panel), log_base=10.0)
    tables, labels, groups = [], [], []
    for name in LABELLED:
        counts = labelled(data, name)
        told = annotated(counts)
        counts, told = counts[told.notna().to_numpy()].copy(), told.dropna()
        tables.append(pd.DataFrame(space(counts), columns=panel, index=[f"{name} {spot}" for spot in counts.obs_names]))
        labels += ["cancer" if label in CANCER else "rest" for label in told]
        groups += [name[0]] * len(told)
    return {"genes": pd.concat(tables)}, pd.Series(labels), groups


def her2st(asked):
    """Tell cancer from the rest by genes, each of eight patients left out; no image of theirs is at hand."""
    tables, labels, groups = cancer(asked.data)
    found = find_biomarkers(tables, labels, groups, label="cancer", methods=asked.methods, permutations=3)
    show("her2st, cancer against the rest", found)


def permuted(asked):
    """Do the same with permuted labels alone, over all spots and within patients."""
    tables, labels, groups = cancer(asked.data)
    told, of = (labels == "cancer").to_numpy(float), np.array(groups)
    modalities = Modalities.of_tables(tables)
    rows = [row for who in np.unique(of) for row in permuted_scores(modalities, told, of, of == who, n=3, seed=0)]
    table = pd.DataFrame(rows).pivot_table(index="method", columns="group", values="auc")
    print(f"\nher2st, labels permuted, AUC\n{table.assign(mean=table.mean(axis=1)).round(3).to_string()}", flush=True)


def mob_st(asked):
    """Tell the granule layer by genes and image, each of three sections left out."""
    sections = [read_sections(asked.data / "mob_st" / name)[0] for name in ("rep01", "rep02", "rep04")]
    sections = sections_with_labels(sections)
    layers = label_table(sections)["label"]
    (layer,) = [name for name in layers.unique() if "ranul" in name]
    tables = {
        "genes": expression_table(sections, ExpressionSpace.fit(sections)),
        "image": image_features(sections, Sight(encoder="efficientnet_lite0")),
    }
    groups = [section.id for section in sections for _ in range(len(section))]
    found = find_biomarkers(tables, layers, groups, label=layer, methods=asked.methods, permutations=3)
    show("mob_st, granule layer", found)


def show(title, found):
    columns = found.scores.pivot_table(index="method", columns="group", values="auc", sort=False)
    print(f"\n{title}\n{found.summary().round(3).to_string()}\n\nAUC\n{columns.round(3).to_string()}")
    print(f"\n{found.features.head(20).round(3).to_string()}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tables", nargs="+", default=["planted", "null", "her2st", "permuted", "mob_st"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=["ridge", "elastic_net", "late_fusion", "gmind"])
    given = parser.parse_args()
    tables = {"planted": planted, "null": partial(planted, permuted=True), "her2st": her2st}
    tables |= {"permuted": permuted, "mob_st": mob_st}
    for chosen in given.tables:
        if chosen in ("her2st", "permuted", "mob_st") and given.data is None:
            print(f"{chosen} skipped: give the folder of the data")
        else:
            tables[chosen](given)
