"""Made-up patients whose outcome is known: `python benchmarks/cohort_planted.py WHAT [MODEL ...]` prints a table.

WHAT is one of

- planted, planted-1000: the first pathway matters where there is much of the first kind of tissue; who finds it;
- shuffled: the same, the rows of pathways shuffled;
- nulls: nothing matters;
- confounded: nothing that is seen matters, but sites differ in stain and in hazard; folds by chance and by site.

Models named after it are compared, too, as ``mmp``; seeds as ``seeds=3``.
"""

import sys
from dataclasses import replace

import numpy as np
import pandas as pd

from mclstexp.cohort import create_outcome_model
from mclstexp.cohort.folds import inner_folds
from mclstexp.cohort.survival.concordance import harrell, within_folds
from mclstexp.cohort.survival.resampled import draw_patients, drawn_concordance, interval
from mclstexp.core.cohort import Outcomes, Patients
from mclstexp.core.outcome_model import OutcomeModel
from mclstexp.io.synthetic.patients import MadePatients, World

KINDS = {"n_prototypes": 8}
MODELS = {
    "clinical": {},
    "mean_features": {},
    "pathway_scores": {"reads": "genes"},
    "prototype_shares": KINDS,
    "shares + pathways": {**KINDS, "reads": "genes", "products": False},
    "prototype_x_pathway": {**KINDS, "reads": "genes"},
}
ORACLE = "the true risk"


def make(model: str) -> OutcomeModel:
    return create_outcome_model(
        "prototype_x_pathway" if model == "shares + pathways" else model, **MODELS.get(model, {})
    )


def ranked(made: MadePatients, models: list[str], *, train: int) -> pd.DataFrame:
    """Fit on the first `train` patients, rank the others; C with its interval over patients."""
    ids = made.patients.ids
    some, others = made.patients.subset(ids[:train]), made.patients.subset(ids[train:])
    known = made.outcomes.subset(others.ids)
    weights = draw_patients(np.zeros(len(others)), n_draws=400)
    rows = []
    for model in [ORACLE, *models]:
        fitted = None if model == ORACLE else make(model).fit(some, made.outcomes)
        risk = made.risk[train:] if fitted is None else fitted.predict(others).risk
        c = harrell(known.time, known.event, risk).c
        drawn = drawn_concordance(known.time, known.event, risk, fold=np.zeros(len(others)), draws=weights)
        sure = interval(c, drawn)
        row = {"model": model, "c": c, "low": sure.low, "high": sure.high}
        rows.append(row | (found(fitted, made) if model == "prototype_x_pathway" else {}))
    return pd.DataFrame(rows)


def found(model: OutcomeModel, made: MadePatients) -> dict[str, object]:
    """Say whether the largest product is that of the first kind and the first pathway, and its sign."""
    products = model.explain()["products"]
    row, column = np.unravel_index(np.abs(products.to_numpy()).argmax(), products.shape)
    centres = model.prototypes_.centres * model.prototypes_.scale + model.prototypes_.offset
    kind = np.linalg.norm(centres[row] - made.centres, axis=1).argmin()
    right = kind == 0 and products.columns[column] == "pathway 1" and products.iloc[row, column] > 0
    return {"right_pair": bool(right)}


def planted(
    models: list[str], *, seeds: range, n: int = 400, effect: float = 1.0, shuffled: bool = False
) -> pd.DataFrame:
    tables = []
    for seed in seeds:
        made = World(effect=effect).make(n, seed=seed)
        if shuffled:
            made = replace(made, patients=shuffle(made.patients, seed))
        tables.append(ranked(made, models, train=int(0.7 * n)).assign(seed=seed))
    return pd.concat(tables, ignore_index=True)


def shuffle(patients: Patients, seed: int) -> Patients:
    order = np.random.default_rng(seed).permutation(len(patients))
    turned = {
        part: getattr(patients, part).iloc[order].set_axis(patients.covariates.index) for part in ("genes", "pathways")
    }
    return replace(patients, **turned)


def confounded(models: list[str], *, seeds: range, n: int = 400) -> pd.DataFrame:
    """C over five folds, pairs within folds, of folds by chance and by site."""
    rows = []
    for seed in seeds:
        made = World(effect=0.0, site_hazard=1.0).make(n, seed=seed)
        for by in ("patient", "site"):
            whole = made.patients
            folds = inner_folds(
                whole if by == "site" else replace(whole, sites=None), made.outcomes, n_folds=5, seed=seed
            )
            rows += [
                {"seed": seed, "by": by, "model": model, "c": over(folds, model, whole, made.outcomes)}
                for model in models
            ]
    return pd.DataFrame(rows)


def over(folds: list, model: str, patients: Patients, outcomes: Outcomes) -> float:
    parts = []
    for kept, out in folds:
        fitted, known = make(model).fit(patients.subset(kept), outcomes), outcomes.subset(out)
        parts.append(harrell(known.time, known.event, fitted.predict(patients.subset(out)).risk))
    return within_folds(parts).c


def main(what: str, *words: str) -> None:
    n_seeds = next((int(word.removeprefix("seeds=")) for word in words if word.startswith("seeds=")), None)
    models = [*MODELS, *(word for word in words if not word.startswith("seeds="))]
    if what == "confounded":
        table = confounded(["mean_features", "prototype_shares", *models[len(MODELS) :]], seeds=range(n_seeds or 3))
        print(table.pivot(index=["model", "by"], columns="seed", values="c").round(3).to_string())
        return
    how = {
        "planted": {},
        "planted-1000": {"n": 1000},
        "shuffled": {"shuffled": True},
        "nulls": {"effect": 0.0},
    }[what]
    table = planted(models, seeds=range(n_seeds or (40 if what == "nulls" else 3)), **how)
    wide = table.pivot(index="model", columns="seed", values="c").loc[[ORACLE, *models]]
    shown = wide if what != "nulls" else wide.agg(["min", "max"], axis=1)
    shown = shown.assign(mean=wide.mean(axis=1))
    off = table.assign(off=(table["low"] > 0.5) | (table["high"] < 0.5)).groupby("model")["off"].mean()
    shown["interval without 0.5"] = off
    print(shown.round(3).to_string())
    right = table["right_pair"].dropna()
    print(f"the largest product is the planted one in {int(right.sum())} of {len(right)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
