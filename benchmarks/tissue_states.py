"""Tissue states beside k-means of as many groups, and the method `codebook` beside other controls: docs/tokens.md.

Run `python benchmarks/tissue_states.py DATA [--tables layers labels methods mice]
[--on expression joint image]`, DATA the folder that holds mob_st/,
her2st/ and mob_2k/. Codes are learnt without the section, or the patient, that is asked.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from domains import BULBS, LABELLED, bulb, labelled
from mclstexp.analysis.states import TissueCodebook
from mclstexp.core import keys
from mclstexp.core.panel import common_genes
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.data.folds import folds_by_patient, folds_by_section
from mclstexp.domains.agreement import annotated
from mclstexp.evaluation.harness import evaluate
from mclstexp.evaluation.summary import summarise
from mclstexp.io.read import read_sections
from mclstexp.io.slides import ArraySlide
from mclstexp.methods import create
from mclstexp.methods.codebook import patient_weights
from mclstexp.sight.sight import Sight

ENCODER = "efficientnet_lite0"
SIZES = (8, 32, 128)
WAYS = ("expression", "joint", "image")


def layers(data, ways):
    """Codes of the first level against five layers of a bulb that was left out."""
    sections = with_common_genes([bulb(data, name) for name in BULBS])
    print("\n| layers, left-out bulb | " + " | ".join(BULBS) + " |\n|---|" + "---|" * len(BULBS))
    rows = {"k-means of the bulb itself, expression": []}
    for asked in sections:
        train = [section for section in sections if section is not asked]
        for on in ways:
            for sizes in ((5,), (8, 32)):
                codebook = TissueCodebook.fit(train, on=on, sizes=sizes, sight=Sight(ENCODER))
                found = agreement(codebook.tokens(asked)[:, 0], asked)
                rows.setdefault(f"states {sizes}, {on}", []).append(found)
            rows.setdefault(f"k-means of 5, {on}", []).append(agreement(plain(codebook, train, asked, 5), asked))
        own = TissueCodebook.fit([asked], on="expression", sizes=(5,))
        rows["k-means of the bulb itself, expression"].append(agreement(own.tokens(asked)[:, 0], asked))
    for name, found in rows.items():
        print(f"| {name} | " + " | ".join(found) + " |", flush=True)


def plain(codebook, train, asked, n):
    """Return groups of the asked section by scikit-learn's k-means in the same directions, every spot alike."""
    points = [
        np.concatenate([b.apply(r) for b, r in zip(codebook.blocks, raw(codebook, s), strict=True)], 1)
        for s in [*train, asked]
    ]
    return KMeans(n, n_init=10, random_state=0).fit(np.concatenate(points[:-1])).predict(points[-1])


def raw(codebook, section):
    looks = [] if codebook.sight is None else [codebook.sight.look(section.tiles).values]
    return looks + ([] if codebook.space is None else [codebook.space(section.counts)])


def agreement(groups, section):
    labels = pd.Categorical(annotated(section.counts))
    known = labels.codes >= 0
    ari = adjusted_rand_score(labels.codes[known], groups[known])
    return f"{ari:.3f}, {normalized_mutual_info_score(labels.codes[known], groups[known]):.3f}"


def labels(data, _):
    """Say how well codes tell a pathologist's label on a patient that was left out: her2st, expression alone."""
    sections = with_common_genes([unseen(labelled(data, name), name) for name in LABELLED])
    rows = {}
    for asked in sections:
        train = [section for section in sections if section is not asked]
        told = np.concatenate([section.counts.obs[keys.LABEL].to_numpy(str) for section in train])
        truth = asked.counts.obs[keys.LABEL].to_numpy(str)
        weights = patient_weights(train)
        ways = {f"states {sizes}": sizes for sizes in ((8,), (8, 32), SIZES, (40,), (168,))}
        for name, sizes in ways.items():
            codebook = TissueCodebook.fit(train, sizes=sizes)
            learnt = np.concatenate([codebook.tokens(section) for section in train])
            guess = vote(learnt, told, weights, codebook.tokens(asked))
            rows.setdefault(name, []).append((guess == truth).mean())
        commonest = pd.Series(weights).groupby(told).sum().idxmax()
        rows.setdefault("commonest label", []).append((commonest == truth).mean())
    print(f"\n| label of a left-out patient, {len(sections)} patients | share right |\n|---|---|")
    for name, found in rows.items():
        print(f"| {name} | {np.mean(found):.3f} ({np.min(found):.3f} to {np.max(found):.3f}) |", flush=True)


def with_common_genes(sections):
    """Return sections with the genes that all measured."""
    genes = common_genes(sections)
    return [replace(section, counts=section.counts[:, genes].copy()) for section in sections]


def vote(learnt, told, weights, asked):
    """Return the commonest training label of the longest path of codes that training took."""
    found = np.full(len(asked), pd.Series(weights).groupby(told).sum().idxmax(), object)
    for level in range(asked.shape[1]):
        path = pd.MultiIndex.from_arrays(learnt[:, : level + 1].T)
        table = pd.DataFrame({"path": path.to_flat_index(), "label": told, "weight": weights})
        best = table.groupby(["path", "label"])["weight"].sum().unstack(fill_value=0).idxmax(axis=1)
        ways = [tuple(codes) for codes in asked[:, : level + 1].tolist()]
        found = np.array([best.get(way, before) for way, before in zip(ways, found, strict=True)], object)
    return found


def unseen(counts, name):
    """Return a section whose image is blank: none was at hand."""
    ids = np.asarray(counts.obs_names, str)
    slide = ArraySlide(np.full((8, 8, 3), 255, np.uint8), mpp=100.0, id=name)
    tiles = Tiles(slide=slide, xy=np.asarray(counts.obsm[keys.SPATIAL], float), ids=ids, spec=TileSpec(8, 100.0))
    return Section(name, name[0], tiles, counts)


def controls():
    """Return the codebook at one, two and three levels, and its neighbours."""
    made = {"mean": create("mean"), "knn": create("knn", encoder=ENCODER), "ridge": create("ridge", encoder=ENCODER)}
    for sizes in ((8,), (8, 32), SIZES, (40,), (168,)):
        made[f"codebook {sizes}"] = create("codebook", encoder=ENCODER, sizes=sizes)
    made["codebook, by_expression"] = create("codebook", preset="by_expression", encoder=ENCODER)
    return made


def methods(data, _):
    """PCC of the controls on bulbs left out one by one, animals not told apart."""
    scored(
        "olfactory bulb, a section left out", folds_by_section(with_common_genes([bulb(data, name) for name in BULBS]))
    )


def mice(data, _):
    """PCC of the controls on a new mouse."""
    sections = read_sections(data / "mob_2k", spec=TileSpec())
    scored("a new mouse", folds_by_patient(sections))


def scored(title, folds):
    table = summarise(evaluate(folds, controls(), controls={}))
    print(f"\n| {title} | PCC | PCC, depth taken out |\n|---|---|---|")
    for name, row in table.iterrows():
        depth = next((row[c] for c in table.columns if "depth" in str(c) and str(c).startswith("pcc")), np.nan)
        print(f"| {name} | {row['pcc']:.3f} | {depth:.3f} |", flush=True)


TABLES = {"layers": layers, "labels": labels, "methods": methods, "mice": mice}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--on", nargs="+", default=list(WAYS), choices=list(WAYS))
    asked = parser.parse_args()
    for name in asked.tables:
        TABLES[name](asked.data, asked.on)


if __name__ == "__main__":
    main()
