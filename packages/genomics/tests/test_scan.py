"""The scan is linear regression; with traits alone residualised it is TorchGWAS; nothing permuted is found."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mclstexp.analysis.association.inflation import inflation
from mclstexp.core.errors import InputError
from mclstexp_genomics.scan import Scanner, filled, principal_components
from mclstexp_genomics.significance import false_discovery, family_wise


def column(*values):
    return np.array(values, float)[:, None]


def made(n=60, n_markers=7, n_traits=2, n_covariates=3, seed=0):
    rng = np.random.default_rng(seed)
    genotypes = rng.binomial(2, 0.3, (n, n_markers)).astype(float)
    covariates = rng.normal(size=(n, n_covariates)) + genotypes[:, :1]
    return genotypes, rng.normal(size=(n, n_traits)) + genotypes[:, 1:2], covariates


def test_four_people_worked_by_hand():
    found = Scanner(column(1, 3, 1, 3))(column(0, 1, 1, 2))
    assert found.r.item() == pytest.approx(0.707107, abs=1e-6)
    assert found.t.item() == pytest.approx(1.414214, abs=1e-6)
    assert found.freedom == 2
    assert found.p.item() == pytest.approx(0.292893, abs=1e-6)
    assert Scanner(column(1, 2, 2, 3))(column(0, 1, 1, 2)).r.item() == pytest.approx(1)


def test_it_is_linear_regression_on_marker_and_covariates():
    genotypes, traits, covariates = made()
    found = Scanner(traits, covariates)(genotypes)
    for marker in range(genotypes.shape[1]):
        design = np.column_stack([np.ones(len(traits)), covariates, genotypes[:, marker]])
        beta, residual, *_ = np.linalg.lstsq(design, traits, rcond=None)
        freedom = len(traits) - design.shape[1]
        error = np.sqrt(residual / freedom * np.linalg.inv(design.T @ design)[-1, -1])
        np.testing.assert_allclose(found.beta[marker], beta[-1], rtol=1e-9)
        np.testing.assert_allclose(found.t[marker], beta[-1] / error, rtol=1e-9)
        np.testing.assert_allclose(found.p[marker], 2 * stats.t.sf(np.abs(beta[-1] / error), freedom), rtol=1e-9)


def test_without_covariates_both_ways_are_one():
    genotypes, traits, _ = made()
    both, alone = (Scanner(traits, residualise=way)(genotypes) for way in ("both", "traits"))
    np.testing.assert_allclose(both.p, alone.p, rtol=1e-12)


def test_covariates_that_say_the_same_count_once():
    genotypes, traits, covariates = made()
    once, twice = (Scanner(traits, c) for c in (covariates, np.column_stack([covariates, 2 * covariates - 1])))
    assert once.freedom == twice.freedom
    np.testing.assert_allclose(once(genotypes).p, twice(genotypes).p, rtol=1e-9)


def test_a_marker_that_does_not_vary_has_no_p():
    genotypes, traits, covariates = made()
    genotypes[:, 2], genotypes[:, 3] = 2, np.nan
    found = Scanner(traits, covariates)(genotypes)
    assert np.isnan(found.p[[2, 3]]).all()
    assert np.isfinite(np.delete(found.p, [2, 3], axis=0)).all()


def test_a_missing_call_is_the_mean_of_the_others():
    np.testing.assert_array_equal(
        filled(np.array([[0, np.nan], [2, np.nan], [np.nan, np.nan]])), [[0, 0], [2, 0], [1, 0]]
    )


def test_all_traits_at_once():
    genotypes, traits, _ = made(n=400)
    scanner = Scanner(traits)
    joint = scanner.joint(scanner(genotypes))
    assert joint.argmin() == 1
    assert joint[1] < 1e-10


def test_traits_are_not_tested_on_whom_they_were_learnt_from():
    _, traits, _ = made(n=4)
    with pytest.raises(InputError, match="from whom no trait was learnt, found p2 and 0 more"):
        Scanner(traits, people=["p0", "p1", "p2", "p3"], learnt_from={"p2", "elsewhere"})


@pytest.mark.parametrize(
    ("traits", "covariates", "said"),
    [
        (column(1, 2, np.nan), None, "finite traits"),
        (column(1, 2), None, "more people"),
        (column(1, 1, 1, 1), None, "traits that vary"),
        (column(1, 2, 3, 5), column(1, 2, 3, 5), "traits that vary"),
        (column(1, 2, 3, 5), column(1, 2, 3, np.inf), "finite traits"),
    ],
)
def test_what_cannot_be_tested_is_refused(traits, covariates, said):
    with pytest.raises(InputError, match=said):
        Scanner(traits, covariates)


def test_nothing_is_found_where_individuals_are_exchanged():
    rng = np.random.default_rng(3)
    genotypes, covariates = rng.binomial(2, 0.3, (120, 40)).astype(float), rng.normal(size=(120, 2))
    traits = column(*(genotypes[:, 5] + rng.normal(size=120)))
    scanner = Scanner(traits, covariates)
    largest = [np.abs(null.t).max() for null in scanner.permuted(genotypes, n=199, seed=1)]
    p = family_wise(largest, scanner(genotypes).t)[:, 0]
    assert p[5] == pytest.approx(1 / 200)
    null = family_wise(largest[:99], np.array(largest[99:]))
    assert (null < 0.05).mean() < 0.12, "of scans of nothing one in twenty finds something"


def test_permutations_are_the_same_for_every_block_of_markers():
    genotypes, traits, covariates = made()
    scanner = Scanner(traits, covariates)
    whole, first = (list(scanner.permuted(g, n=3, seed=4)) for g in (genotypes, genotypes[:, :2]))
    for one, other in zip(whole, first, strict=True):
        np.testing.assert_allclose(one.t[:2], other.t)


def test_components_tell_ancestry_and_take_its_inflation_out():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 100)
    share = rng.uniform(0.1, 0.9, (2, 400))
    genotypes = rng.binomial(2, share[group]).astype(float)
    traits = column(*(2 * group + rng.normal(size=200)))
    component = principal_components(iter([(None, genotypes)]), 1)
    assert abs(np.corrcoef(component[:, 0], group)[0, 1]) > 0.95
    naive, adjusted = (inflation(Scanner(traits, c)(genotypes).p.T)[0] for c in (None, component))
    assert naive > 3
    assert 0.5 < adjusted < 1.5


def test_false_discovery_leaves_out_what_was_not_tested():
    np.testing.assert_allclose(false_discovery(np.array([0.01, np.nan, 0.04])), [0.02, np.nan, 0.04])


@pytest.mark.data
def test_the_published_scan_is_met_and_the_default_differs(genomics_dir):
    folder = genomics_dir / "torchgwas_toy"
    genotypes, traits, covariates = (np.load(folder / f"{name}.npy") for name in ("genotype", "pheno", "covar"))
    published = pd.read_csv(folder / "linear_results.tsv.gz", sep="\t")
    scanner = Scanner(traits, covariates, residualise="traits")
    found = scanner(genotypes)
    for name, values in (("p_value", found.p), ("t_stat", found.t), ("beta", found.r)):
        np.testing.assert_allclose(values.ravel(), published[name], rtol=1e-9)
    joint = pd.read_csv(folder / "multi_results.tsv.gz", sep="\t")
    np.testing.assert_allclose(scanner.joint(found), joint["p_value"], rtol=1e-6)
    ours = Scanner(traits, covariates)(genotypes)
    assert 0.005 < np.abs(ours.p - found.p).max() < 0.02
