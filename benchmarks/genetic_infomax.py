"""Whether the order of genes helps Genetic InfoMax: the tables of docs/associations.md.

Run `python benchmarks/genetic_infomax.py [--data DATA] [--tables clones her2st] [--seeds 3]`. clones: made-up tumours
of three clones that gain and lose whole arms of chromosomes; a dense layer and the genome's windows, in their order and
in a random one, learn from an image that shows the clone, and tell clones of new spots. her2st (DATA/her2st and
DATA/genomics/gene_positions): patient B from patient C, all methods on the same frozen features.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from mclstexp.analysis.association.infomax import InfoMaxOptions
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import Fold
from mclstexp.evaluation.exam import Rules, mark, prepare
from mclstexp.io.read import read_sections
from mclstexp.methods import create
from mclstexp.nn.genome import GenomeEncoder, GenomeOrder
from mclstexp.nn.trans_modal import TransModal, image_traits
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.trans_modal import fit_trans_modal

N_GENES, N_CHROMOSOMES, N_CLONES = 600, 6, 3


def tumour(n, rng, world):
    """Return log expression, and the clone of each spot: arms are gained (×1.5) or lost (×0.5) in each clone."""
    arm = np.repeat(np.arange(2 * N_CHROMOSOMES), N_GENES // (2 * N_CHROMOSOMES))
    change = world.choice([0.5, 1.0, 1.5], (N_CLONES, 2 * N_CHROMOSOMES))
    rate = world.gamma(1.0, 1.0, N_GENES)
    clone = rng.integers(N_CLONES, size=n)
    share = rate * change[clone][:, arm]
    counts = rng.poisson(2000 * share / share.sum(axis=1, keepdims=True))
    return np.log1p(1e4 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)), clone


def told_apart(genes, train, test, *, seed):
    """Learn from images of clones, and return how many new spots' clones the nearest mean embedding tells."""
    (x, clone), (new, truth) = train, test
    rng = np.random.default_rng(seed)
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-6
    inputs, asked = (torch.from_numpy((one - mean) / spread).float() for one in (x, new))
    image = torch.from_numpy(np.eye(N_CLONES)[clone] + 0.3 * rng.normal(size=(len(x), N_CLONES))).float()
    model = TransModal(image_traits(N_CLONES, 8), genes, n_traits=8, n_other=32)
    size = min(64, len(x))
    options = TrainingOptions(epochs=max(5, 150 * size // len(x)), batch_size=size, seed=seed)
    fit_trans_modal(model, image, inputs, options=options, spread=InfoMaxOptions().spread)
    with torch.inference_mode():
        known, found = (model.eval().embed_other(one).numpy() for one in (inputs, asked))
    means = np.stack([known[clone == k].mean(axis=0) for k in range(N_CLONES)])
    return float(((found @ means.T).argmax(axis=1) == truth).mean())


def clones(asked):
    chromosome = np.repeat(np.arange(N_CHROMOSOMES), N_GENES // N_CHROMOSOMES)
    place = np.tile(np.linspace(1e6, 1e8, N_GENES // N_CHROMOSOMES), N_CHROMOSOMES)
    rows = []
    for n in (50, 100, 1000):
        for seed in range(asked.seeds):
            world = np.random.default_rng([seed, 5])
            rng = np.random.default_rng(seed)
            train = tumour(n, rng, world)
            world = np.random.default_rng([seed, 5])
            test = tumour(500, rng, world)
            mixed = rng.permutation(N_GENES)
            orders = {"in order": np.arange(N_GENES), "in a random order": mixed}
            for name in ("dense layer", *orders):
                torch.manual_seed(seed)
                if name == "dense layer":
                    genes = torch.nn.Linear(N_GENES, 32)
                else:
                    at = orders[name]
                    genes = GenomeEncoder(GenomeOrder.of(chromosome[at], place[at], width=25), dim=32, depth=1, out=32)
                rows.append({"spots": n, "genes": name, "told": told_apart(genes, train, test, seed=seed)})
        table = pd.DataFrame(rows).groupby(["spots", "genes"], sort=False)["told"].agg(["mean", "min", "max"])
    print(f"\nclones told of 500 new spots, {asked.seeds} seeds\n{table.round(3).to_string()}", flush=True)


def her2st(asked):
    names = ["C2", "C3", "C4", "C5", "C6", "B4"]
    sections = read_sections(asked.data / "her2st", format="her2st", sections=names, spec=TileSpec(224, 0.5))
    panel = (asked.data / "gene_lists" / "her2st_785.txt").read_text().split()
    exam = prepare(
        Fold("B4", train=tuple(sections[:5]), test=tuple(sections[5:])),
        Rules(space=lambda some: ExpressionSpace.fit(some, genes=panel)),
    )
    places = asked.data / "genomics" / "gene_positions" / "gencode_v38_gene_pos.tsv.gz"
    known = pd.read_csv(places, sep="\t", header=None)
    with tempfile.TemporaryDirectory() as folder:
        mixed = Path(folder) / "mixed.tsv"
        order = np.random.default_rng(0).permutation(len(known))
        known.assign(**{str(0): known[0].to_numpy()[order]})[["0", 1, 2, 3]].to_csv(
            mixed, sep="\t", header=False, index=False
        )
        ways = {
            "ridge": ("ridge", {}),
            "bleep": ("bleep", {"epochs": 10}),
            "genetic_infomax": ("genetic_infomax", {}),
            "no spread term": ("genetic_infomax", {"spread": 0.0}),
            "genes in order": ("genetic_infomax", {"gene_encoder": "genome", "gene_positions": str(places)}),
            "in a random order": ("genetic_infomax", {"gene_encoder": "genome", "gene_positions": str(mixed)}),
        }
        rows = []
        for seed in range(asked.seeds):
            for label, (name, options) in ways.items():
                given = options | ({"epochs": 20} if name == "genetic_infomax" else {})
                given |= {} if name == "ridge" else {"seed": seed}
                model = create(name, encoder="efficientnet_lite0", **given).fit(exam.fold.train, space=exam.space)
                for section in exam.judged:
                    table = mark(exam, section, model.predict(section.tiles).X, label=label, method=model)
                    told = {m: table[table["metric"] == m]["value"].mean() for m in ("pcc", "pcc_depth")}
                    rows.append({"method": label, **told})
                    print(seed, rows[-1], flush=True)
    table = pd.DataFrame(rows).groupby("method", sort=False).mean()
    print(f"\nher2st B4 from C2 to C6, {asked.seeds} seeds\n{table.round(3).to_string()}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tables", nargs="+", default=["clones", "her2st"])
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    if "clones" in given.tables:
        clones(given)
    if "her2st" in given.tables:
        if given.data is None:
            print("her2st skipped: give the folder of the data")
        else:
            her2st(given)
