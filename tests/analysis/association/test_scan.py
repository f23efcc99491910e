"""The textbook scan on values worked by hand, and on the results that TorchGWAS published for its toy."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from mclstexp.analysis.association.inflation import MEDIAN, inflation
from mclstexp.analysis.association.linear import linear_scan, of_all_traits
from mclstexp.analysis.association.loci import find_loci
from mclstexp.core.errors import InputError

TOY = Path(os.environ.get("MCLSTEXP_DATA", "none")) / "genomics" / "torchgwas_toy"


def test_four_individuals_by_hand():
    marker = np.array([[0.0], [1], [1], [2]])
    alike = linear_scan(np.array([[1.0], [2], [2], [3]]), marker)
    assert alike.r == pytest.approx(1)
    assert alike.p < 1e-6
    scan = linear_scan(np.array([[1.0], [3], [1], [3]]), marker)
    assert (scan.r.item(), scan.t.item(), scan.p.item()) == pytest.approx((0.707107, 1.414214, 0.292893), abs=1e-6)
    assert scan.df == 2


def test_covariates_leave_both_sides_and_the_degrees():
    rng = np.random.default_rng(0)
    known = rng.normal(size=(50, 2))
    trait, marker = known @ [[1.0], [2.0]] + rng.normal(size=(50, 1)), known @ [[3.0], [0.5]] + rng.normal(size=(50, 1))
    scan = linear_scan(trait, marker, known)
    design = np.column_stack([np.ones(50), known, marker])
    coefficients, rest, *_ = np.linalg.lstsq(design, trait, rcond=None)
    error = np.sqrt(rest[0] / 46 * np.linalg.inv(design.T @ design)[3, 3])
    assert scan.df == 46
    assert scan.t.item() == pytest.approx(coefficients[3, 0] / error)
    assert abs(linear_scan(trait, marker).t.item()) > 3 * abs(scan.t.item()), "without them it goes with everything"


def test_what_is_constant_says_nothing():
    scan = linear_scan(np.array([[1.0, 5], [2, 5], [4, 5]]), np.array([[0.1, 2], [0.1, 1], [0.1, 7]]))
    assert np.isnan(scan.r).tolist() == [[True, False], [True, True]]


def test_inflation_is_one_at_the_median():
    assert inflation(np.full((1, 3), chi2.sf(MEDIAN, 1)))[0] == pytest.approx(1)
    p = np.random.default_rng(0).uniform(size=(2, 1000))
    whole, error = inflation(p)
    assert whole == pytest.approx(1, abs=4 * error)
    assert error < 0.2
    assert inflation(p**2)[0] > 1.5


def _hits(*rows):
    found = pd.DataFrame(rows, columns=["marker", "chromosome", "position", "p"])
    return found[["marker", "p"]].assign(trait="t"), found.set_index("marker")


def test_of_three_neighbours_the_best_is_the_locus():
    found, places = _hits(("a", 1, 1_000_000, 1e-9), ("b", 1, 1_300_000, 1e-12), ("c", 1, 1_600_000, 1e-10))
    loci = find_loci(found, places)
    assert loci["marker"].tolist() == ["b"]
    assert loci["n_markers"].tolist() == [3]
    found, places = _hits(("a", 1, 1, 1e-9), ("b", 2, 1, 1e-12), ("c", 1, 900_000, 1e-10))
    assert find_loci(found, places)["marker"].tolist() == ["b", "c", "a"]
    linked = pd.DataFrame({"a": [0, 1, 2, 1], "b": [1, 0, 2, 1], "c": [0, 1, 2, 1]})
    assert find_loci(found, places, linked)["marker"].tolist() == ["b", "c"]
    with pytest.raises(InputError, match="found none of 'c'"):
        find_loci(found, places.drop("c"))


@pytest.mark.data
@pytest.mark.skipif(not TOY.exists(), reason="needs MCLSTEXP_DATA with genomics/torchgwas_toy")
def test_as_torchgwas_scans_its_toy():
    load = lambda name: np.load(TOY / f"{name}.npy")  # noqa: E731
    told = pd.read_csv(TOY / "linear_results.tsv.gz", sep="\t").pivot(index="trait", columns="marker_id")
    traits, covariates = load("pheno"), load("covar")
    scan = linear_scan(traits, load("genotype"), covariates, both=False)
    for ours, theirs in ((scan.r, "beta"), (scan.t, "t_stat"), (scan.p, "p_value")):
        np.testing.assert_allclose(ours, told[theirs].to_numpy(), rtol=1e-9, atol=1e-12)
    ours = linear_scan(traits, load("genotype"), covariates)
    assert 1e-4 < np.abs(ours.p - scan.p).max() < 0.02, "taken out of both sides it is another p"
    together = pd.read_csv(TOY / "multi_results.tsv.gz", sep="\t")
    np.testing.assert_allclose(of_all_traits(scan, traits, covariates), together["p_value"], rtol=0.05)
