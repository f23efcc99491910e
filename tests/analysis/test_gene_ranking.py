"""Chance between smooth maps is met as often as p says; the published score is scipy's, far beyond its range."""

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from made_pairs import made_pair, smooth_maps, square
from mclstexp.analysis.gene_ranking import minus_log10_p, rank_genes
from mclstexp.analysis.spatial_null import draw_signs, moran_basis, null_correlations
from mclstexp.core.depth import depth_patterns
from mclstexp.core.errors import InputError
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.data.autocorrelation import morans_i, neighbour_weights
from slowly import slowly

ARRAY = square(14)
IRREGULAR = ARRAY[(np.hypot(*(ARRAY - 6).T) < 6.5) & (ARRAY[:, 0] + ARRAY[:, 1] > 6)]
BASIS = moran_basis(ARRAY)


def test_the_basis_is_orthonormal_and_without_means():
    for xy in (ARRAY, IRREGULAR, np.vstack([ARRAY, ARRAY[:2]])):
        basis = moran_basis(xy)
        assert basis.shape == (len(xy), len(xy) - 1)
        np.testing.assert_allclose(basis.T @ basis, np.eye(len(xy) - 1), atol=1e-10)
        np.testing.assert_allclose(basis.sum(axis=0), 0, atol=1e-8)
    patterns = morans_i(BASIS, neighbour_weights(ARRAY))
    assert patterns[:5].min() > 0.8
    assert abs(patterns[:-1].max() - patterns[:5].max()) < 1e-12, "the coarsest come first"


def test_null_correlations_by_the_definition():
    rng = np.random.default_rng(0)
    truth, guess = smooth_maps(rng, ARRAY, 3), smooth_maps(rng, ARRAY, 3)
    signs = draw_signs(rng, n_permutations=5, basis=BASIS)
    observed, null = null_correlations(truth, guess, basis=BASIS, signs=signs)
    np.testing.assert_allclose(observed, pearson_per_gene(truth, guess), atol=1e-12)
    random_maps = BASIS @ (signs[2][:, None] * (BASIS.T @ guess))
    np.testing.assert_allclose(null[2], pearson_per_gene(truth, random_maps), atol=1e-12)
    np.testing.assert_allclose(random_maps.std(axis=0), guess.std(axis=0))


@pytest.mark.parametrize("array", [ARRAY, IRREGULAR], ids=["full", "irregular"])
@pytest.mark.parametrize(("length", "noise"), [(2, 0.5), (4, 0), (6, 1)])
def test_p_is_uniform_for_unrelated_smooth_maps_and_the_usual_one_is_not(array, length, noise):
    rng = np.random.default_rng(1)
    truth, guess = (smooth_maps(rng, array, 500, length=length, noise=noise) for _ in range(2))
    basis = moran_basis(array)
    observed, null = null_correlations(
        truth, guess, basis=basis, signs=draw_signs(rng, n_permutations=499, basis=basis)
    )
    p = (1 + (null >= observed).sum(axis=0)) / 500
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert (p <= 0.05).mean() < 0.08
    usual = 10.0 ** -minus_log10_p(observed, len(array))
    assert stats.kstest(usual, "uniform").pvalue < 1e-10
    assert (usual <= 0.05).mean() > 0.2


def test_score_is_scipys_p_and_goes_on_where_it_ends():
    x, y = np.random.default_rng(0).normal(size=(2, 60))
    assert _score(np.corrcoef(x, y)[0, 1], 60) == pytest.approx(-np.log10(stats.pearsonr(x, y).pvalue))
    # GNAS on B3 in the published notebook
    assert _score(0.84032, 298) == pytest.approx(79.97388, abs=2e-3)
    for r, n in ((0.9, 3000), (0.99, 5000), (-0.95, 800), (0.999999, 300), (0.7, 100000)):
        a, x = mpmath.mpf(n) / 2 - 1, 1 - mpmath.mpf(r) ** 2
        exact = -mpmath.log10(mpmath.betainc(a, 0.5, 0, x, regularized=True))
        assert _score(r, n) == pytest.approx(float(exact), rel=1e-9)
    np.testing.assert_array_equal(minus_log10_p(np.array([0, 1, np.nan]), 50), [0, np.inf, np.nan])
    assert np.isnan(_score(0.5, 2))


def _score(r, n_spots):
    return minus_log10_p(np.array([r]), n_spots)[0]


@pytest.fixture(scope="module")
def pairs():
    """Genes 0–9 are predicted, 10–39 are not, 40 is shallow, 41 is predicted constant, 42 is never seen."""
    pairs = []
    for n in range(2):
        rng = np.random.default_rng(n)
        maps = 0.5 * smooth_maps(rng, ARRAY, 43, length=2)
        guess = 0.5 * smooth_maps(rng, ARRAY, 43, length=2)
        guess[:, :10] = maps[:, :10] + 0.2 * rng.normal(size=(len(maps), 10))
        maps[:, 40] -= 9
        guess[:, 41] = 1
        maps[:, 42] = -50
        pairs.append(made_pair(maps, guess, id=f"S{n}", patient=f"P{n}"))
    return pairs


@pytest.fixture(scope="module")
def ranked(pairs):
    return rank_genes(pairs, n_permutations=199)


def test_verdicts(ranked):
    assert set(ranked.index[:10]) == {f"G{i}" for i in range(10)}
    assert (ranked.loc[[f"G{i}" for i in range(10)], "verdict"] == "predictable").all()
    others = ranked.loc[[f"G{i}" for i in range(10, 40)], "verdict"]
    assert (others == "predictable").sum() == 0
    assert (others == "not predictable").sum() >= 25
    assert ranked.loc["G40", ["verdict", "why"]].tolist() == ["doubtful", "too little of its own was measured to judge"]
    assert ranked.loc["G41", ["pcc", "p_spatial", "verdict"]].tolist() == [0, 1, "not predictable"]
    assert np.isnan(ranked.loc["G42", "q"])
    assert ranked.loc["G42", "verdict"] == "doubtful"


def test_numbers_are_those_of_the_sections(pairs, ranked):
    again = rank_genes(pairs, n_permutations=199)
    pd.testing.assert_frame_equal(ranked, again)
    for gene in (0, 20):
        row = ranked.loc[f"G{gene}"]
        r = [stats.pearsonr(*(x[:, gene].astype(float) for x in (pair.truth, pair.guess))) for pair in pairs]
        assert row[["pcc_S0", "pcc_S1"]].tolist() == pytest.approx([x.statistic for x in r], abs=1e-6)
        assert row["pcc"] == pytest.approx(np.mean([x.statistic for x in r]), abs=1e-6)
        assert row["score"] == pytest.approx(np.mean([_score(x.statistic, len(ARRAY)) for x in r]), rel=1e-4)
        assert row["share"] == pytest.approx(row["given_depth"] / row["ceiling_given_depth"])


def test_serial_cuts_of_one_patient_are_not_independent_evidence():
    rng = np.random.default_rng(7)
    truth, guess = (0.4 * smooth_maps(rng, square(9), 120, length=3) for _ in range(2))
    # three cuts that show one tissue: an unrelated map that fits one by chance fits all
    pairs = [made_pair(truth, guess, id=f"S{n}", patient="P", seed=n) for n in range(3)]
    careful = rank_genes(pairs, n_permutations=199)["p_spatial"]
    careless = rank_genes(pairs, n_permutations=199, unit="section")["p_spatial"]
    assert (careful <= 0.05).mean() < 0.08
    assert (careless <= 0.05).mean() > 0.12


def test_panels_may_differ_and_nonsense_is_refused(pairs):
    pair = pairs[0]
    few = type(pair)(pair.section, pair.predicted[:, 5:].copy())
    ranked = rank_genes([few], n_permutations=19)
    assert set(ranked.index) == {f"G{i}" for i in range(5, 43)}
    with pytest.raises(InputError, match="2 times"):
        rank_genes([pair, few])
    with pytest.raises(InputError, match="at least 19"):
        rank_genes([pair], n_permutations=5)


def _made_of_depth(depths, loadings, guess, *, seed=0):
    """Sections whose counts are Poisson of depth times share; `guess(log_depth, own, rng)` is what is predicted."""
    rng, pairs = np.random.default_rng(seed), []
    base = rng.lognormal(0, 1.2, len(loadings))
    for n, depth in enumerate(depths):
        own = smooth_maps(rng, ARRAY, len(loadings), length=2) * loadings
        rates = base * np.exp(own)
        rates *= np.asarray(depth)[:, None] / base.sum()
        pairs.append(made_pair(np.log(rates), guess(depth, own, rng), id=f"S{n}", patient=f"P{n}", depth=1, seed=n))
    return pairs


def _depth_fields(rng):
    smooth = smooth_maps(rng, ARRAY, 1)[:, 0]
    return {
        "smooth": 2000 * np.exp(smooth),
        "rough": 2000 * np.exp(0.7 * rng.normal(size=len(ARRAY))),
        "two tissues": np.where(smooth > 0.3, 6000.0, 300.0),
        "gradient": 200 + 8000 * ARRAY[:, 0] / 13,
        "shallow": 150 * np.exp(0.8 * smooth),
    }


_MAPS = {
    "log": lambda depth, rng: np.log(depth),
    "plain": lambda depth, rng: depth,
    "noisy": lambda depth, rng: np.log(depth) + 0.3 * np.log(depth).std() * rng.normal(size=len(depth)),
    "smooth error": lambda depth, rng: np.log(depth) + 0.5 * np.log(depth).std() * smooth_maps(rng, ARRAY, 1)[:, 0],
}


_FIRST, *_OTHERS = _depth_fields(np.random.default_rng(0))
_FIELDS = [_FIRST, *map(slowly, _OTHERS)]


@pytest.mark.parametrize("field", _FIELDS)
@pytest.mark.parametrize("shown", list(_MAPS))
def test_a_map_of_depth_for_all_genes_makes_none_predictable(field, shown):
    n_genes, seed = 60, len(field) * len(shown)
    depths = [_depth_fields(np.random.default_rng((seed, n)))[field] for n in range(3)]

    def guess(depth, own, rng):
        return np.tile(_MAPS[shown](depth, rng)[:, None], (1, n_genes))

    ranked = rank_genes(_made_of_depth(depths, np.zeros(n_genes), guess, seed=seed), n_permutations=99)
    assert (ranked["verdict"] == "predictable").mean() <= 0.05
    assert (ranked["q"] < 0.05).mean() <= 0.05


def test_a_gene_with_a_pattern_of_its_own_is_found_below_depth():
    loadings = np.where(np.arange(60) < 20, 0.8, 0.0)
    depths = [_depth_fields(np.random.default_rng(n))["smooth"] for n in range(3)]

    def guess(depth, own, rng):
        return np.log(depth)[:, None] + own + 0.5 * smooth_maps(rng, ARRAY, own.shape[1])

    ranked = rank_genes(_made_of_depth(depths, loadings, guess), n_permutations=199)
    deep = ranked[ranked["ceiling_given_depth"] >= 0.3]
    with_own = deep.index.isin([f"G{g}" for g in range(20)])
    assert with_own.sum() >= 15
    assert (deep.loc[with_own, "verdict"] == "predictable").mean() > 0.9
    assert (deep.loc[~with_own, "verdict"] == "predictable").sum() <= 1


def test_given_depth_random_maps_lose_depth_too():
    rng = np.random.default_rng(3)
    truth, guess = smooth_maps(rng, ARRAY, 4), smooth_maps(rng, ARRAY, 4)
    depth = smooth_maps(rng, ARRAY, 1)[:, 0]
    given = depth_patterns(depth, powers=2)
    signs = draw_signs(rng, n_permutations=5, basis=BASIS)
    observed, null = null_correlations(truth, guess, basis=BASIS, signs=signs, given=given)
    curve = np.column_stack([np.ones(len(depth)), depth, depth**2])

    def left(maps):
        return maps - curve @ np.linalg.lstsq(curve, maps, rcond=None)[0]

    np.testing.assert_allclose(observed, pearson_per_gene(left(truth), left(guess)), atol=1e-10)
    random_maps = BASIS @ (signs[2][:, None] * (BASIS.T @ left(guess)))
    np.testing.assert_allclose(null[2], pearson_per_gene(left(truth), left(random_maps)), atol=1e-10)
