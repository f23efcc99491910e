"""The clinic and pathways on six cohorts of TCGA: `python benchmarks/cohort_tcga.py DATA` prints the tables.

DATA/cohort holds `tcga_clinical.csv` (patient, cohort, site, fold, age, sex, stage, dss_days, dss_event),
`hallmark_sets.csv` and `tcga_expression/COHORT.parquet`, log2(TPM + 0.001). The outcome is disease-specific survival;
folds are those that are published with MMP, by site. A pathway's score is the mean of its genes.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from mclstexp.cohort import create_outcome_model
from mclstexp.cohort.folds import inner_folds
from mclstexp.cohort.survival.concordance import harrell, within_folds
from mclstexp.core.cohort import Outcomes, Patients

MONTH_DAYS = 30.4375
COVARIATES = {"stage": ["stage"], "age, sex, stage": ["age", "sex", "stage"]}
WITH_GENES = ("BLCA", "STAD")


@dataclass(frozen=True)
class TcgaCohort:
    """Patients of a tumour, their outcomes, and the published test fold of each."""

    patients: Patients
    outcomes: Outcomes
    fold: np.ndarray

    def given(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Return the published folds."""
        ids = np.array(self.patients.ids, object)
        return [(tuple(ids[self.fold != k]), tuple(ids[self.fold == k])) for k in np.unique(self.fold)]

    def by_chance(self, seed: int) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Return five folds that patients are dealt to by chance."""
        return inner_folds(replace(self.patients, sites=None), self.outcomes, n_folds=5, seed=seed)


def read(data: Path, name: str, covariates: list[str]) -> TcgaCohort:
    table = pd.read_csv(data / "cohort" / "tcga_clinical.csv").query(f"cohort == '{name}'").set_index("patient")
    expression = data / "cohort" / "tcga_expression" / f"{name}.parquet"
    scores = None
    if expression.is_file():
        genes = pd.read_parquet(expression)
        genes = (genes.set_index("patient") if "patient" in genes else genes).loc[table.index]
        sets = pd.read_csv(data / "cohort" / "hallmark_sets.csv")
        scores = pd.DataFrame({s: genes[[g for g in sets[s].dropna() if g in genes]].mean(axis=1) for s in sets})
    patients = Patients(
        ids=tuple(table.index), sites=tuple(table["site"]), covariates=table[covariates], pathways=scores
    )
    outcomes = Outcomes.survival(table.index, time=table["dss_days"] / MONTH_DAYS, event=table["dss_event"])
    return TcgaCohort(patients, outcomes, table["fold"].to_numpy())


def judged(cohort: TcgaCohort, folds: list, model: str, **options: object) -> tuple[float, float]:
    """Return the mean C of folds, and C over pairs within folds."""
    parts = []
    for kept, out in folds:
        fitted = create_outcome_model(model, **options).fit(cohort.patients.subset(kept), cohort.outcomes)
        known = cohort.outcomes.subset(out)
        parts.append(harrell(known.time, known.event, fitted.predict(cohort.patients.subset(out)).risk))
    return float(np.mean([part.c for part in parts])), within_folds(parts).c


def main(data: Path) -> None:
    for said, covariates in COVARIATES.items():
        for name in ("BRCA", "BLCA", "LUAD", "STAD", "COADREAD", "KIRC"):
            cohort = read(data, name, covariates)
            show(f"clinical ({said})", name, judged(cohort, cohort.given(), "clinical"))
    for name in WITH_GENES:
        cohort = read(data, name, COVARIATES["age, sex, stage"])
        for model in ("pathway_scores", "clinical+pathway_scores"):
            for l1_ratio in (0.0, 0.5):
                found = judged(cohort, cohort.given(), model, l1_ratio=l1_ratio)
                show(f"{model} (l1_ratio {l1_ratio})", name, found)
        for model in ("clinical", "pathway_scores"):
            chance = [judged(cohort, cohort.by_chance(seed), model)[0] for seed in range(5)]
            print(f"{model} {name}, by chance, 5 ways: {np.mean(chance):.4f} ({min(chance):.4f}-{max(chance):.4f})")


def show(model: str, name: str, found: tuple[float, float]) -> None:
    print(f"{model} {name}: mean {found[0]:.4f}, within folds {found[1]:.4f}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
