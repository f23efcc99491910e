"""The noise ceiling is what knowing the true rates would score; the depth oracle is a correlation with totals."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse
from scipy.stats import pearsonr

from mclstexp.core.expression import ExpressionSpace
from mclstexp.evaluation.ceiling import ceiling_of, depth_oracle, noise_ceiling, reliability
from mclstexp.evaluation.count_noise import noise_variance
from mclstexp.evaluation.metrics import pcc_depth
from slowly import slowly

GENES = tuple(f"G{g}" for g in range(12))


def _adata(counts, names=None):
    names = [f"G{g}" for g in range(counts.shape[1])] if names is None else names
    return AnnData(sparse.csr_matrix(counts), var=pd.DataFrame(index=list(names)))


def _counts(depth, n_spots=150):
    rng = np.random.default_rng(0)
    rates = rng.dirichlet(np.full(12, 2.0), size=n_spots)
    return _adata(rng.poisson(depth * rates)), rates


def test_it_rises_with_depth_towards_one():
    space = ExpressionSpace(GENES)
    ceilings = [np.nanmean(noise_ceiling(_counts(depth)[0], space=space)) for depth in (10, 100, 1000, 100_000)]
    assert ceilings == sorted(ceilings)
    assert ceilings[0] < 0.7
    assert ceilings[-1] > 0.99


@pytest.mark.parametrize("depth", [20, 200])
def test_it_is_about_what_the_true_rates_reach(depth):
    counts, rates = _counts(depth, n_spots=2000)
    space = ExpressionSpace(GENES)
    truth, perfect = space(counts), np.log10(1 + 1e4 * rates)
    reached = np.mean([pearsonr(truth[:, g], perfect[:, g])[0] for g in range(12)])
    assert abs(np.nanmean(noise_ceiling(counts, space=space)) - reached) < 0.02


def test_a_gene_that_was_never_seen_has_none():
    counts, _ = _counts(100)
    counts.X = sparse.csr_matrix(counts.X.toarray() * (np.arange(12) != 3))
    ceiling = noise_ceiling(counts, space=ExpressionSpace(GENES))
    assert np.isnan(ceiling[3])
    assert np.isfinite(np.delete(ceiling, 3)).all()


def test_too_few_spots_have_none():
    assert np.isnan(noise_ceiling(_counts(100)[0][:3], space=ExpressionSpace(GENES))).all()


def test_the_root_keeps_the_sign_of_what_is_below_nothing():
    np.testing.assert_allclose(ceiling_of(np.array([0.25, 0.0, -0.04, np.nan])), [0.5, 0, -0.2, np.nan])


def test_the_depth_oracle_is_the_correlation_with_log_totals():
    counts, _ = _counts(50)
    counts = AnnData(sparse.csr_matrix(counts.X.toarray() * (1 + np.arange(150)[:, None] % 5)), var=counts.var)
    space = ExpressionSpace(GENES)
    depth = np.log1p(counts.X.toarray().sum(axis=1))
    expected = [pearsonr(space(counts)[:, g], depth)[0] for g in range(12)]
    np.testing.assert_allclose(depth_oracle(counts, space=space), expected, rtol=1e-6)


@pytest.mark.parametrize("scale", ["log", "residual", "gene"])
def test_the_noise_is_that_of_counts_made_anew(scale):
    rng = np.random.default_rng(0)
    depth = rng.lognormal(np.log(400), 0.5, size=(1500, 1))
    rates = depth * rng.dirichlet(np.full(30, 2.0)) * rng.gamma(4, 1 / 4, size=(1500, 30))
    names = tuple(f"G{g}" for g in range(30))
    shares = {"scale": "residual", "shares": tuple(rates.sum(axis=0) / rates.sum()), "clip": 100.0}
    space = ExpressionSpace(names, **{"log": {}, "residual": shares, "gene": {"axis": "gene"}}[scale])
    made = [rng.poisson(rates) for _ in range(30)]
    values = np.stack([space(_adata(counts)) for counts in made])
    expected = values.var(axis=0, ddof=1).mean(axis=0)
    found = np.mean([noise_variance(space.panel(_adata(counts)), space) for counts in made[:4]], axis=0)
    assert found.sum() == pytest.approx(expected.sum(), rel=0.01)
    np.testing.assert_allclose(found, expected, rtol=0.2)


# Known rates, not unlike her2st's: half of the genes have fewer than two counts a spot

N_GENES, N_SPOTS, N_SECTIONS, N_COUNTS = 250, 1500, 4, 700


STRONGEST = {"weak signal": 0.2, "real signal": 0.8}
"""Spread of the logarithm of the share of the gene that has most of it; others have less, down to none."""


@cache
def _simulated(what, *, n_spots=N_SPOTS, n_sections=N_SECTIONS, seed=0):
    """Return per section (rates, shares, counts): shares alike everywhere or not, depths alike or not."""
    rng = np.random.default_rng(seed)
    base = rng.lognormal(0, 1.3, N_GENES)
    sections = []
    for _ in range(n_sections):
        depth = np.full((n_spots, 1), float(N_COUNTS))
        if what != "equal depths":
            depth = rng.lognormal(np.log(N_COUNTS), 0.5, size=(n_spots, 1))
        shares = np.tile(base, (n_spots, 1))
        if what in STRONGEST:
            patterns, loadings = rng.normal(size=(n_spots, 8)), rng.normal(size=(8, N_GENES))
            size = np.linspace(0, STRONGEST[what], N_GENES) / np.linalg.norm(loadings, axis=0)
            shares = base * np.exp(patterns @ loadings * size)
        shares /= shares.sum(axis=1, keepdims=True)
        sections.append((depth * shares, shares, rng.poisson(depth * shares)))
    return sections


def _questions(sections):
    """Return (space, given depth) of each question."""
    names = tuple(f"G{g}" for g in range(N_GENES))
    counts = sum(counts.sum(axis=0) for *_, counts in sections) + 0.5
    shares = {"scale": "residual", "shares": tuple(counts / counts.sum()), "clip": N_SPOTS**0.5}
    log = ExpressionSpace(names)
    return {"log": (log, False), "given depth": (log, True), "residual": (ExpressionSpace(names, **shares), False)}


@cache
def _ceilings(what, **size):
    sections, found = _simulated(what, **size), {}
    for question, (space, given_depth) in _questions(sections).items():
        each = [reliability(_adata(counts), space=space, given_depth=given_depth) for *_, counts in sections]
        found[question] = np.nanmean(ceiling_of(np.nanmean(each, axis=0), np.transpose(each)))
    return found


def _reached(sections, *, n_times=3):
    """Return what knowing every spot's true expression scores: the root of its share of the truth's variance.

    The true expression is the mean of measurements made anew; two such means covary by its variance alone.
    """
    rng, questions = np.random.default_rng(1), _questions(sections)
    shares = {question: [] for question in questions}
    for rates, _, counts in sections:
        halves = [[_adata(rng.poisson(rates)) for _ in range(n_times)] for _ in range(2)]
        depth = np.log1p(counts.sum(axis=1))[:, None]
        for question, (space, given_depth) in questions.items():
            known = np.column_stack([np.ones(len(depth)), depth if given_depth else np.zeros(len(depth))])
            means = [sum(map(space, half)) / n_times for half in halves]
            every = (*means, space(_adata(counts)))
            one, two, truth = (values - known @ np.linalg.lstsq(known, values, rcond=None)[0] for values in every)
            square = (truth**2).sum(axis=0)
            shares[question].append((one * two).sum(axis=0) / np.where(square > 0, square, np.nan))
    return {question: np.nanmean(ceiling_of(np.nanmean(each, axis=0))) for question, each in shares.items()}


@pytest.mark.parametrize("what", [slowly("equal depths"), slowly("real depths"), "weak signal", slowly("real signal")])
def test_with_known_rates_it_is_what_knowing_the_expression_scores(what):
    assert _ceilings(what) == pytest.approx(_reached(_simulated(what)), abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("what", ["real depths", "weak signal", "real signal"])
def test_over_five_sections_of_200_spots_it_errs_by_a_little_more(what, seed):
    size = {"n_spots": 200, "n_sections": 5, "seed": seed}
    assert _ceilings(what, **size) == pytest.approx(_reached(_simulated(what, **size)), abs=0.035)


def test_depth_alone_makes_a_ceiling_but_for_residuals():
    found = _ceilings("real depths")
    assert found["log"] > 0.15
    assert abs(found["residual"]) < 0.02


def test_given_depth_it_is_what_knowing_the_shares_but_not_the_depth_scores():
    sections = _simulated("real signal")
    space, _ = _questions(sections)["log"]
    reached = [
        pcc_depth(space(_adata(counts)), np.log10(1 + 1e4 * shares), depth=counts.sum(axis=1).astype(float))
        for _, shares, counts in sections
    ]
    assert _ceilings("real signal")["given depth"] == pytest.approx(np.nanmean(reached), abs=0.02)


def test_means_that_err_are_drawn_together_before_the_root():
    rng = np.random.default_rng(0)
    truth = np.full(400, 0.03)
    seen = truth[:, None] + 0.08 * rng.normal(size=(400, 5))
    alone, together = (np.mean(ceiling_of(seen.mean(axis=1), given)) for given in (None, seen))
    assert alone < 0.15 < together
    assert together == pytest.approx(0.03**0.5, abs=0.02)
    nothing = seen - 0.03
    np.testing.assert_array_equal(ceiling_of(nothing.mean(axis=1), nothing), ceiling_of(nothing.mean(axis=1)))
    assert abs(np.mean(ceiling_of(nothing.mean(axis=1), nothing))) < 0.02
