"""Stage on six cohorts of TCGA, in the published folds: what the clinic says, above what is published of slides."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

MEASURED = {  # mean C of folds: stage; age, sex and stage; and of the latter C within folds
    "BRCA": (0.786, 0.764, 0.720),
    "BLCA": (0.662, 0.675, 0.677),
    "LUAD": (0.669, 0.662, 0.661),
    "STAD": (0.579, 0.575, 0.565),
    "COADREAD": (0.734, 0.710, 0.783),
    "KIRC": (0.843, 0.855, 0.837),
}


@pytest.fixture(scope="module")
def script():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "cohort_tcga.py"
    spec = importlib.util.spec_from_file_location("cohort_tcga_script", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def data(data_dir):
    if not (data_dir / "cohort" / "tcga_clinical.csv").is_file():
        pytest.skip(f"no cohorts of TCGA in {data_dir}")
    return data_dir


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", MEASURED)
def test_the_clinic_ranks_patients_as_measured(name, script, data):
    found = []
    for covariates in script.COVARIATES.values():
        cohort = script.read(data, name, covariates)
        found += script.judged(cohort, cohort.given(), "clinical")
    np.testing.assert_allclose([found[0], found[2], found[3]], MEASURED[name], atol=0.002)


@pytest.mark.slow
@pytest.mark.data
def test_fifty_pathways_beside_a_free_clinic_do_it_little_harm(script, data):
    cohort = script.read(data, "BLCA", script.COVARIATES["age, sex, stage"])
    alone, pathways, both = (
        script.judged(cohort, cohort.given(), name)[1]
        for name in ("clinical", "pathway_scores", "clinical+pathway_scores")
    )
    assert pathways == pytest.approx(0.584, abs=0.01)
    assert both >= alone - 0.02
