"""Where networks of patients stand on a planted interaction: the numbers of docs/cohort_networks.md.

Run `python benchmarks/cohort_networks.py [MODEL …] [--patients 400] [--seeds 0,1,2]`: made-up patients whose hazard
hangs on one pathway in one kind of tissue (`mclstexp.io.synthetic.patients`), seven tenths to learn from. A model is a
name, with a preset after a colon (`mmp:published`); `additive` is `prototype_x_pathway` without products. Wider tiles,
for models that look at three scales, are means of four and of sixteen tiles.
"""

import argparse
import time
import warnings
from collections.abc import Iterable, Iterator

import numpy as np

from mclstexp.cohort import create_outcome_model
from mclstexp.cohort.survival.concordance import harrell
from mclstexp.core.bag import ArrayBag, Bag
from mclstexp.core.cohort import Patients
from mclstexp.core.outcome_model import OutcomeModel
from mclstexp.io.synthetic.patients import MadePatients, World

N_KINDS = 8
MODELS = (
    "additive", "prototype_x_pathway", "mmp", "mmp:published", "mmp:published_text", "mmp:published_transport",
    "pathway_mlp", "abmil", "mcat", "himt",
)  # fmt: skip


def at_three_scales(bag: Bag) -> Bag:
    """Put wider tiles above a patient's."""
    tiles = bag.take(range(bag.n_tiles))
    wider = [ArrayBag([some.mean(axis=0) for some in np.array_split(tiles, -(-len(tiles) // n))]) for n in (16, 4)]
    return ArrayBag(tiles, coarser=wider)


def made(n_patients: int, seed: int) -> MadePatients:
    """Make patients with tiles at three scales."""
    world = World().make(n_patients, seed=seed)
    seen = world.patients
    bags = tuple(at_three_scales(bag) for bag in seen.bags or () if bag is not None)
    patients = Patients(
        seen.ids, sites=seen.sites, bags=bags, pathways=seen.pathways, genes=seen.genes, gene_sets=seen.gene_sets
    )
    return MadePatients(patients, world.outcomes, world.risk, world.centres)


def model_of(name: str) -> OutcomeModel:
    """Make a model of its name and preset."""
    name, _, preset = name.partition(":")
    if name in ("additive", "prototype_x_pathway"):
        products = name != "additive"
        return create_outcome_model("prototype_x_pathway", n_prototypes=N_KINDS, products=products)
    kinds = {"n_prototypes": N_KINDS} if name == "mmp" else {}
    return create_outcome_model(name, preset=preset or None, **kinds)


def ranked(n_patients: int, seed: int, models: Iterable[str]) -> Iterator[tuple[str, float, float]]:
    """Yield C on patients held out, and seconds of the processor, of the true risk and of each model."""
    world = made(n_patients, seed)
    order = np.random.default_rng(seed).permutation(n_patients)
    ids = np.array(world.patients.ids, object)
    train, test = (tuple(ids[rows]) for rows in np.split(order, [int(0.7 * n_patients)]))
    known = world.outcomes.subset(test)
    place = dict(zip(world.patients.ids, world.risk, strict=True))
    yield "the true risk", harrell(known.time, known.event, [place[name] for name in test]).c, 0.0
    for name in models:
        begun = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = model_of(name).fit(world.patients.subset(train), world.outcomes.subset(train))
        c = harrell(known.time, known.event, model.predict(world.patients.subset(test)).risk).c
        yield name, c, time.process_time() - begun


def main() -> None:
    """Print a line for each model and world."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--patients", type=int, default=400)
    parser.add_argument("--seeds", default="0,1,2")
    given = parser.parse_args()
    for seed in map(int, given.seeds.split(",")):
        for name, c, seconds in ranked(given.patients, seed, given.models):
            print(f"{given.patients} patients, seed {seed}: {name} {c:.3f} ({seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
