"""Where nothing goes with anything no scan says so, over spots or individuals; where something does, it is found."""

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import kstest

from made_pairs import square
from mclstexp.analysis import associate
from mclstexp.analysis.association.associate import Individuals, Spots
from mclstexp.analysis.association.fields import Field, MoranNull, ShiftNull
from mclstexp.analysis.association.replicate import replicate
from mclstexp.core.errors import InputError

SIDE = 16
PLACES = square(SIDE)
N = len(PLACES)


def _table(values, letter):
    return pd.DataFrame(values, columns=[f"{letter}{k}" for k in range(values.shape[1])])


def _maps(rng, n, sigma=2.0):
    return gaussian_filter(rng.normal(size=(SIDE, SIDE, n)), (sigma, sigma, 0)).reshape(-1, n)


def _spots(null="moran", *, sections=("S",), patients=("P",), **given):
    of = [np.repeat(names, N) for names in (sections, patients)]
    at = np.tile(PLACES, (len(sections), 1))
    return Spots(200 * at, *of, null=null, array_xy=at, **given)


@pytest.mark.parametrize("null", ["moran", "shifts"])
def test_unrelated_smooth_maps_are_chance_and_a_naive_test_says_otherwise(null):
    rng = np.random.default_rng(1)
    found = associate(_table(_maps(rng, 15), "t"), _table(_maps(rng, 20), "m"), _spots(null), n_permutations=199)
    p, naive = found.table["p"], found.table["p_naive"]
    assert (naive < 0.05).mean() > 0.4
    assert (p < 0.05).mean() < 0.1
    assert found.inflation.at["p", "lambda"] == pytest.approx(1, abs=0.35)
    assert found.inflation.at["p_naive", "lambda"] > 5
    assert len(found.found(by="p_family")) == 0
    if null == "moran":
        assert kstest(p, "uniform").statistic < 0.12


def test_serial_sections_of_one_individual_are_no_independent_evidence():
    rng = np.random.default_rng(2)
    traits, markers = _maps(rng, 8), _maps(rng, 20)
    again = [np.tile(maps, (3, 1)) + 0.02 * rng.normal(size=(3 * N, maps.shape[1])) for maps in (traits, markers)]
    tables = [_table(maps, letter) for maps, letter in zip(again, "tm", strict=True)]
    names = ("S1", "S2", "S3")
    one = associate(*tables, _spots(sections=names, patients=("P",) * 3), n_permutations=199)
    three = associate(*tables, _spots(sections=names, patients=names), n_permutations=199)
    assert (one.table["p"] < 0.05).mean() < 0.12
    assert (three.table["p"] < 0.05).mean() > 0.2, "taken for three they are evidence thrice"
    assert "1 individual" in one.notes[0]
    assert three.notes == ()


def test_a_true_association_is_found_beyond_what_draws_resolve_and_covariates_explain_it_away():
    rng = np.random.default_rng(3)
    traits, markers = _maps(rng, 3, sigma=1), _maps(rng, 40, sigma=1)
    markers[:, 7] = traits[:, 1] + 0.3 * traits[:, 1].std() * rng.normal(size=N)
    tables = _table(traits, "t"), _table(markers, "m")
    found = associate(*tables, _spots(), n_permutations=99)
    best = found.table.iloc[0]
    assert (best["trait"], best["marker"]) == ("t1", "m7")
    assert best["p"] < 1e-3 < found.smallest_p
    assert best["p_family"] < 0.05
    given = _table(traits[:, [1]] + 0.01 * traits[:, 1].std() * rng.normal(size=(N, 1)), "c")
    explained = associate(*tables, _spots(), covariates=given, n_permutations=99)
    assert explained.table["p_family"].min() > 0.05


@pytest.mark.parametrize("null", [MoranNull, ShiftNull])
def test_random_maps_know_nothing_of_covariates_and_have_the_length_of_the_map(null):
    rng = np.random.default_rng(4)
    depth = _maps(rng, 1)
    field = Field("S", "P", PLACES, _maps(rng, 2) + depth, np.hstack([_maps(rng, 3), np.ones((N, 1))]), depth, PLACES)
    made = null(field, n_draws=50, rng=rng)
    drawn = made.drawn(0)
    assert drawn.shape == (50, 4)
    assert np.abs(drawn).max() <= 1 + 1e-9
    assert (drawn[:, 3] == 0).all(), "a constant marker goes with nothing"
    assert np.isnan(field.observed[:, 3]).all()
    assert field.known.shape == (N, 1)
    if null is MoranNull:
        assert drawn[:, 0].std() == pytest.approx(made.spread(0)[0], rel=0.4)


def test_a_shift_moves_a_map_as_it_says():
    rng = np.random.default_rng(5)
    maps = rng.normal(size=(N, 1))
    moved = np.roll(maps.reshape(SIDE, SIDE), (3, 5), axis=(0, 1)).reshape(-1, 1)
    field = Field("S", "P", PLACES, maps, moved, array_xy=PLACES)
    null = ShiftNull(field, n_draws=3000, rng=rng)
    assert null.drawn(0).max() == pytest.approx(1), "one of the shifts lays it on the other"
    hexagonal = PLACES * [2, 1] + np.column_stack([PLACES[:, 1] % 2, np.zeros(N)])
    assert ShiftNull(Field("S", "P", PLACES, maps, moved, array_xy=hexagonal), n_draws=20, rng=rng).drawn(0).shape
    for array in (None, np.zeros((N, 2))):
        with pytest.raises(InputError, match="take the null moran"):
            ShiftNull(Field("S", "P", PLACES, maps, moved, array_xy=array), n_draws=20, rng=rng)


def _cohort(rng, n=80, n_markers=60):
    dosage = _table(rng.binomial(2, 0.3, (n, n_markers)).astype(float), "m")
    traits = _table(rng.normal(size=(n, 4)), "t")
    names = [f"P{k}" for k in range(n)]
    return traits.set_axis(names), dosage.set_axis(names)


def test_permuted_genotypes_have_no_loci():
    families = []
    for seed in range(10):
        traits, dosage = _cohort(np.random.default_rng(seed))
        found = associate(traits, dosage, n_permutations=99, seed=seed)
        families.append(found.table["p_family"].min())
        assert found.inflation.at["p", "lambda"] == pytest.approx(1, abs=0.5)
    assert sum(p < 0.05 for p in families) <= 2
    assert len(found.found()) == 0


def test_strata_are_kept_and_a_true_locus_is_found_and_replicates():
    rng = np.random.default_rng(11)
    traits, dosage = _cohort(rng, n=200)
    site = np.repeat([0, 1], 100)
    dosage["m5"] = np.where(site, rng.binomial(2, 0.8, 200), rng.binomial(2, 0.1, 200)).astype(float)
    traits["t0"] += 2.0 * site
    confounded = associate(traits, dosage, n_permutations=99)
    assert confounded.table.iloc[0][["trait", "marker"]].tolist() == ["t0", "m5"], "site alone binds them"
    within = associate(
        traits, dosage, Individuals(strata=site.tolist()), covariates=pd.DataFrame({"site": site}, index=traits.index)
    )
    assert within.table["p_family"].min() > 0.01
    traits["t1"] += 1.2 * dosage["m9"]
    half = traits.index[::2]
    found = associate(traits.loc[half], dosage.loc[half], n_permutations=99)
    rest = traits.index[1::2]
    again = replicate(found, traits.loc[rest], dosage.loc[rest], by="p_family", n_permutations=99)
    assert again.set_index(["trait", "marker"]).loc[("t1", "m9"), "replicated"]
    with pytest.raises(InputError, match="no part in the discovery"):
        replicate(found, traits.loc[half], dosage.loc[half], n_permutations=99)


def test_who_a_trait_was_learnt_from_is_refused():
    traits, dosage = _cohort(np.random.default_rng(0), n=20)
    with pytest.raises(InputError, match="test them on others"):
        associate(traits, dosage, Individuals(trained_on=["P3", "Q"]), n_permutations=19)
    traits.attrs["trained_on"] = ("P3",)
    with pytest.raises(InputError, match="'P3'"):
        associate(traits, dosage, n_permutations=19)
    others = associate(traits.drop(index="P3"), dosage.drop(index="P3"), n_permutations=19)
    assert others.trained_on == ("P3",)
    with pytest.raises(InputError, match="were not learnt"):
        associate(_table(np.eye(N)[:, :1], "t"), _table(np.eye(N), "m"), _spots(trained_on=["P"]), n_permutations=19)


def test_too_few_individuals_have_effects_alone():
    traits, dosage = _cohort(np.random.default_rng(0), n=7)
    found = associate(traits, dosage, n_permutations=19)
    assert found.table["p"].isna().all()
    assert found.table["r"].notna().any()
    assert "too few" in found.notes[0]


def test_labels_are_columns_and_slips_are_sentences():
    rng = np.random.default_rng(0)
    traits, dosage = _cohort(rng, n=30)
    labels = pd.DataFrame({"kind": list("abc") * 10, "sex": list("mf") * 15}, index=traits.index)
    found = associate(traits, labels, n_permutations=19)
    assert sorted(set(found.table["marker"])) == ["kind=a", "kind=b", "kind=c", "sex=m"]
    dosage.iloc[3, 2] = np.nan
    assert associate(traits, dosage, n_permutations=19).table["p"].notna().all()
    for change, words in (
        (lambda t, m: (t.iloc[::-1], m), "align them"),
        (lambda t, m: (m, t), "leave such rows out"),
        (lambda t, m: (t.to_numpy(), m), "a table"),
        (lambda t, m: (t.iloc[:2], m.iloc[:2]), "more than 2 individuals"),
    ):
        with pytest.raises(InputError, match=words):
            associate(*change(traits, dosage), n_permutations=19)
    with pytest.raises(InputError, match="19 permutations"):
        associate(traits, dosage, n_permutations=5)
