"""Domains against labels that no method saw, beside shuffled controls: the tables of docs/domains.md.

Run `python benchmarks/domains.py DATA [--tables mob_st osmfish her2st predicted released] [--sections rep01 …]
[--seeds 5] [--methods kmeans …]`, with DATA the folder that holds mob_st/, osmfish_cortex/ and her2st/. Every method is
told the number of labels, and nothing else of them. `python benchmarks/domains.py --time [--methods stmmc …]` measures
instead what methods cost on 3,969 made-up spots, each in a process of its own.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.core import keys
from mclstexp.domains import create_domain_finder, list_domain_finders
from mclstexp.domains.agreement import agree, annotated
from mclstexp.domains.judge import (
    divide,
    judge_domains,
    labels_to_meet,
    places_of,
    score_divisions,
    shown_to,
    summarise_domains,
)
from mclstexp.domains.refine import vote
from mclstexp.io.counts_alone import read_counts
from mclstexp.io.read import read_sections
from mclstexp.io.tables import read_st_counts
from mclstexp.methods import create

BULBS = ["rep01", "rep02", "rep04"]
LABELLED = ["A1", "B1", "C1", "D1", "E1", "F1", "G2", "H1"]
EXPRESSION = ("kmeans", "leiden", "spatial_kmeans")


def finders(*names):
    made = {name: create_domain_finder(name) for name in names}
    return made | {"stmmc, no image": create_domain_finder("stmmc", use_image=False)}


def mob_st(data, asked):
    """Layers one or two spots thin: smoothing hurts."""
    for name in asked.sections or BULBS:
        section = bulb(data, name)
        show(f"mob_st {name}, measured", section, finders(*EXPRESSION, "image_only", "stmmc"), asked)


def osmfish(data, asked):
    """Regions hundreds of cells wide, no image: smoothing helps."""
    cells = read_counts(data / "osmfish_cortex" / "osmfish_ss_cortex.h5ad", what="the section")
    cells = cells[cells.obs["valid"].to_numpy(bool)].copy()
    show("osmFISH cortex", cells, finders(*EXPRESSION), asked, labels=cells.obs["region"].to_numpy(object))


def her2st(data, asked):
    """Take a pathologist's labels of eight tumours, no image needed: means over sections."""
    methods = {name: create_domain_finder(name) for name in EXPRESSION}
    tables = [judge_domains(labelled(data, name), methods, seeds=asked.seeds, on_event=tell) for name in LABELLED]
    table = pd.concat([summarise_domains(table) for table in tables]).groupby(level=[0, 1]).mean()
    print(f"\nher2st, {len(tables)} labelled sections\n{table.round(3).to_string()}", flush=True)


def predicted(data, asked):
    """Domains of what ridge predicts for a bulb from the two others, beside those of what was measured."""
    sections = {name: bulb(data, name) for name in BULBS}
    for name in asked.sections or BULBS:
        model = create("ridge", encoder="efficientnet_lite0").fit(
            [section for other, section in sections.items() if other != name]
        )
        guess = model.predict(sections[name].tiles)
        guess.obs[keys.LABEL] = sections[name].counts.obs[keys.LABEL].to_numpy()
        show(f"mob_st {name}, predicted by ridge", guess, finders(*EXPRESSION, "stmmc"), asked, image=sections[name])


def released(data, asked):
    """Run the release's settings, and show what its vote of 50 neighbours does."""
    for name in asked.sections or BULBS[:1]:
        section = bulb(data, name)
        labels = pd.Categorical(annotated(section.counts))
        for seed in (39, 40):
            finder = create_domain_finder("stmmc", preset="published", refine=0, seed=seed)
            found = finder.find(section, n_domains=len(labels.categories)).obs[keys.DOMAIN].cat.codes.to_numpy()
            scores = {
                n: agree(pd.Categorical(vote(found, section.tiles.xy, n) if n else found), labels)["ari"]
                for n in (0, 6, 50)
            }
            said = ", ".join(f"vote of {n}: {ari:.3f}" for n, ari in scores.items())
            print(f"mob_st {name}, stmmc --preset published, seed {seed}, ARI by {said}", flush=True)


def bulb(data, name):
    return read_sections(data / "mob_st" / name)[0]


def labelled(data, name):
    """Read counts, places and labels of a section of her2st, without its image."""
    counts = read_st_counts(data / "her2st" / "data" / "ST-cnts" / f"{name}.tsv.gz")
    rows = pd.read_csv(data / "her2st" / "data" / "ST-pat" / "lbl" / f"{name}_labeled_coordinates.tsv", sep="\t")
    rows = rows.dropna(subset=["x", "y"])
    rows.index = [f"{x:.0f}x{y:.0f}" for x, y in zip(rows["x"], rows["y"], strict=True)]
    counts = counts[counts.obs_names.isin(rows.index)].copy()
    rows = rows.loc[counts.obs_names]
    counts.obsm[keys.SPATIAL] = rows[["x", "y"]].to_numpy(float)
    counts.obs[keys.LABEL] = rows["label"].to_numpy(object)
    return counts


def show(title, of, methods, asked, *, image=None, **how):
    methods = {name: methods[name] for name in asked.methods or methods}
    apart = {name: method for name, method in methods.items() if image is not None and method.looks}
    methods = {name: method for name, method in methods.items() if name not in apart}
    tables = [judge_domains(of, methods, seeds=asked.seeds, on_event=tell, **how)] if methods else []
    tables += [with_image(name, method, of, image, asked) for name, method in apart.items()]
    scores = pd.concat(tables, ignore_index=True)
    spots = scores["n_spots"].iloc[0]
    print(f"\n{title}, {spots} spots scored\n{summarise_domains(scores).round(3).to_string()}", flush=True)


def with_image(label, finder, of, image, asked):
    """Judge a method that looks on a prediction, which brings no image, by the section's own."""
    labels, features = labels_to_meet(of), finder.look(image)
    how, tables = {"number": labels.categories.size}, []
    for seen in shown_to(finder):
        begun, divisions = time.perf_counter(), []
        for seed in range(asked.seeds):
            divisions.append(divide(finder, of, features, seen=seen, seed=seed, **how).obs[keys.DOMAIN].array)
            tell(label, f"{seen}, seed {seed}", "done")
        seconds = (time.perf_counter() - begun) / asked.seeds
        tables.append(
            score_divisions(divisions, labels, places_of(of)).assign(method=label, seen=seen, seconds=seconds)
        )
    return pd.concat(tables, ignore_index=True)


def tell(method, what, state):
    if state == "done":
        print(f"{time.strftime('%H:%M:%S')} {method}, {what}", file=sys.stderr, flush=True)


def timed(label, n_side=63, n_genes=3000, dim=512):
    """Divide a made-up section of the size of Visium's."""
    rng = np.random.default_rng(0)
    x, y = (axis.ravel().astype(float) for axis in np.mgrid[:n_side, :n_side])
    band = (x * 5 // n_side).astype(int)
    rate = np.exp(rng.normal(-1, 1, n_genes) + 0.5 * rng.normal(size=(5, n_genes))[band])
    counts = AnnData(rng.poisson(rate).astype(np.float32), obsm={keys.SPATIAL: 100 * np.column_stack([x, y])})
    looks = rng.normal(size=(5, dim))[band] + rng.normal(size=(len(x), dim))
    finder = finders(*list_domain_finders())[label]
    begun, used = time.perf_counter(), time.process_time()
    found = finder.find(counts, n_domains=5, features=looks)
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    ari = agree(found.obs[keys.DOMAIN].array, pd.Categorical(band))["ari"]
    print(f"{label}: {counts.n_obs} spots, {n_genes} genes: {seconds:.0f} s ({used:.0f} s of processor time), ", end="")
    print(f"{peak:.1f} GiB, ARI {ari:.2f}", flush=True)


TABLES = {"mob_st": mob_st, "osmfish": osmfish, "her2st": her2st, "predicted": predicted, "released": released}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    parser.add_argument("--sections", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--methods", nargs="+")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        timed(asked.one)
        return
    if asked.time:
        for name in asked.methods or list_domain_finders():
            subprocess.run([sys.executable, "-W", "ignore", __file__, "--one", name], check=True)
        return
    for name in asked.tables:
        TABLES[name](asked.data, asked)


if __name__ == "__main__":
    main()
