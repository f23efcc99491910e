"""Files of gene sets are read or refused in a sentence; scores are the model's; what any genes do is told from more."""

from importlib.util import find_spec

import numpy as np
import pytest
from scipy import stats

from made_pairs import made_pair, smooth_maps, square
from mclstexp.analysis.gene_sets import compare_gene_sets, read_gmt, score_gene_sets
from mclstexp.core.errors import InputError

ARRAY = square(9)
scored = pytest.mark.skipif(find_spec("decoupler") is None, reason="the extra mclstexp[analysis] is not installed")
SETS = {
    "programme": [f"G{i}" for i in range(6)],
    "scattered": [f"G{i}" for i in (9, 14, 20, 21, 33)],
    "few": ["G1", "G2", "TP53"],
    "with strangers": ["TP53", *(f"G{i}" for i in range(3, 9))],
}


def _made(seed):
    """Six genes follow a programme that is predicted; all forty share a pattern that is predicted as well."""
    rng = np.random.default_rng(seed)
    shared, programme = smooth_maps(rng, ARRAY, 2, length=2).T
    maps = 0.3 * shared[:, None] + 0.2 * rng.normal(size=(81, 40))
    maps[:, :6] += 0.7 * programme[:, None]
    guess = 0.2 * rng.normal(size=maps.shape) + 0.3 * shared[:, None]
    guess[:, :6] += 0.7 * programme[:, None]
    return made_pair(maps, guess, id=f"S{seed}", patient="P", seed=seed)


@pytest.fixture(scope="module")
def pairs():
    return [_made(0), _made(1)]


@pytest.fixture(scope="module")
def compared(pairs):
    return compare_gene_sets(pairs, SETS, n_permutations=99, n_random=30)


def test_a_file_is_read(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("B cells\thttps://x\tMS4A1\tCD79A\tMS4A1\t\n\nT cells\t\tCD3D\r\n", encoding="utf-8")
    assert read_gmt(path) == {"B cells": ("MS4A1", "CD79A"), "T cells": ("CD3D",)}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\tb\tC\nlonely line\n", "line 2 is 'lonely line'"),
        (b"a\tb\tC\na\tb\tD\n", "line 2 names the set 'a' again"),
        (b"a,b,C\n", "divided by tabs"),
        (b"\n", "it is empty"),
        (b"\x89PNG\x00\xfe", "damaged or of another kind"),
        (b"A\tof M\xfcller\tESR1", "save it as UTF-8"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, content, said):
    path = tmp_path / "sets.gmt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_gmt(path)
    with pytest.raises(InputError, match="no such file"):
        read_gmt(tmp_path / "none.gmt")


@scored
def test_the_score_is_the_t_of_a_regression_in_each_spot(pairs):
    scores = score_gene_sets(pairs[0], SETS, which="truth")
    assert list(scores.columns) == list(SETS)
    assert list(scores.index) == list(pairs[0].section.tiles.ids)
    assert scores["few"].isna().all(), "two genes of the panel are too few"
    for name, members in (("programme", range(6)), ("with strangers", range(3, 9))):
        inside = np.isin(np.arange(40), members).astype(float)
        fit = stats.linregress(inside, pairs[0].truth[5].astype(float))
        assert scores[name].iloc[5] == pytest.approx(fit.slope / fit.stderr, rel=1e-6)
    assert score_gene_sets(pairs[0], SETS, min_genes=2).notna().all(axis=None)


@scored
def test_a_prediction_alone_is_scored_where_it_has_values(pairs):
    alone = pairs[0].predicted.copy()
    scores = score_gene_sets(alone, SETS)
    assert scores.equals(score_gene_sets(pairs[0], SETS))
    alone.X[3], alone.X[4] = np.nan, 0.5
    again = score_gene_sets(alone, SETS).drop(columns="few")
    assert again.iloc[3].isna().all()
    assert (again.iloc[4] == 0).all(), "no gene lies above another"
    np.testing.assert_allclose(again.iloc[5:], scores.drop(columns="few").iloc[5:])
    with pytest.raises(InputError, match="found a prediction alone"):
        score_gene_sets(alone, SETS, which="truth")


def test_sets_without_genes_in_the_panel_are_said(pairs):
    with pytest.raises(InputError, match=r"like G0.* found 2 in the largest \(few\)"):
        score_gene_sets(pairs[0], {"few": SETS["few"], "mouse": ["Trp53"] * 9})
    with pytest.raises(InputError, match="none given"):
        score_gene_sets(pairs[0], {})
    with pytest.raises(InputError, match="not all of its 40"):
        score_gene_sets(pairs[0], {"all": pairs[0].genes})


@scored
def test_agreement_of_truth_and_prediction(pairs, compared):
    assert list(compared.index) == list(SETS)
    assert compared["n_genes"].tolist() == [6, 5, 3, 7]
    assert compared["n_found"].tolist() == [6, 5, 2, 6]
    for pair in pairs:
        truth, predicted = (score_gene_sets(pair, SETS, which=which)["programme"] for which in ("truth", "predicted"))
        assert compared.loc["programme", f"pcc_{pair.id}"] == pytest.approx(np.corrcoef(truth, predicted)[0, 1])
    assert compared["pcc"].iloc[0] == pytest.approx(compared[["pcc_S0", "pcc_S1"]].iloc[0].mean())
    assert compared.loc["programme", "pcc"] > 0.8
    assert compared.loc["programme", "q"] < 0.05
    assert compared.loc["few"].drop(["n_genes", "n_found"]).isna().all()


@scored
def test_other_genes_are_the_measure(pairs, compared):
    assert compared.loc["programme", "beats"] == 1
    assert compared.loc["scattered", "beats"] < 0.9
    assert compared.loc["programme", "pcc_random"] == compared.loc["with strangers", "pcc_random"], "of as many genes"
    assert "pcc" in compare_gene_sets(pairs, SETS, n_permutations=19, n_random=0)
    again = compare_gene_sets(pairs, SETS, n_permutations=99, n_random=30)
    assert again.equals(compared)


@scored
def test_genes_that_one_section_lacks_are_left_out(pairs):
    fewer = type(pairs[1])(pairs[1].section, pairs[1].predicted[:, 1:].copy())
    compared = compare_gene_sets([pairs[0], fewer], SETS, n_permutations=19, n_random=3)
    assert compared["n_found"].tolist() == [5, 5, 2, 6]
