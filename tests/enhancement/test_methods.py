"""Each method of enhancement tells what lies between spots, and nothing of what was hidden."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from made_maps import GENES, SIDE, made_maps
from mclstexp.core.enhancer import measured_beside
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.enhancement import create_enhancer, image_kriging, list_enhancers
from mclstexp.enhancement import gaussian_process as gp
from mclstexp.enhancement.hidden import hidden_spots, score_hidden
from mclstexp.enhancement.kriging import Kriging
from mclstexp.io.slides import ArraySlide
from mclstexp.methods import create
from slowly import slowly
from small_methods import ENCODER

SMALL = {
    "image_kriging": {"encoder": ENCODER},
    "image": {"encoder": ENCODER},
    "stentrans": {"max_epochs": 1},
}


def small(name):
    return create_enhancer(name, **SMALL.get(name, {}))


_LONG = ("image", "image_kriging", "stentrans")


@pytest.fixture(scope="module")
def section():
    return made_maps()


@pytest.mark.parametrize("name", [slowly(name) if name in _LONG else name for name in list_enhancers()])
def test_a_finer_lattice_of_every_method(section, name):
    enhanced = small(name).enhance(section)
    assert enhanced.n_obs == (2 * SIDE - 1) ** 2
    assert enhanced.obs["in_section"].sum() == SIDE**2
    assert enhanced.obs_names[: SIDE**2].tolist() == section.tiles.ids.tolist()
    assert enhanced.X.dtype == np.float32
    assert enhanced.uns["mclstexp"]["method"] == name
    assert ("variance" in enhanced.layers) == ("kriging" in name)
    np.testing.assert_array_equal(small(name).enhance(section).X, enhanced.X)


@pytest.mark.parametrize("name", [slowly(name) if name in _LONG else name for name in list_enhancers()])
def test_hidden_spots_replaced_by_random_counts_move_nothing(section, name):
    hidden = hidden_spots(section, hide="between")[0]
    noise = section.counts.copy()
    noise.X = np.where(hidden[:, None], np.random.default_rng(1).poisson(50, noise.shape), noise.X.toarray())
    scores = []
    for counts in (section.counts, noise):
        given = replace(section, counts=counts).take(~hidden)
        scores.append(small(name).enhance(given, places=section.tiles.take(hidden)).X)
    np.testing.assert_array_equal(*scores)


class _Told(Kriging):
    """Keeps what it said."""

    said: ClassVar[list] = []

    def _enhance(self, ground):
        found = super()._enhance(ground)
        self.said.append(found.values)
        return found


@pytest.mark.parametrize("hide", ["between", "random", "areas"])
def test_what_is_scored_took_no_part_in_what_is_said(section, hide):
    hidden = hidden_spots(section, hide=hide)[0]
    noise = section.counts.copy()
    noise.X = np.where(hidden[:, None], np.random.default_rng(1).poisson(50, noise.shape), noise.X.toarray())
    _Told.said.clear()
    scores = [
        score_hidden(replace(section, counts=counts), {"m": _Told()}, hide=hide, turns=1)
        for counts in (section.counts, noise)
    ]
    np.testing.assert_array_equal(*_Told.said)
    assert abs(scores[1]["pcc"].mean()) < 0.2 < scores[0]["pcc"].mean()


def test_kriging_tells_smooth_maps_and_nothing_of_permuted_ones(section):
    methods = {name: small(name) for name in ("nearest", "linear", "kriging", "image_kriging", "mean")}
    smooth = score_hidden(section, methods, turns=1).groupby("method")["pcc"].mean()
    assert smooth["kriging"] > smooth["nearest"] + 0.1
    assert smooth["kriging"] > smooth["linear"]
    assert smooth["image_kriging"] > smooth["kriging"] - 0.05
    assert smooth["mean"] == 0
    chance = score_hidden(made_maps(permuted=True), methods, turns=4).groupby("method")["pcc"].mean()
    assert (chance.abs() < 0.1).all()


def test_left_out_spots_in_closed_form_are_left_out():
    rng = np.random.default_rng(0)
    places, patterns = rng.uniform(0, 5, (20, 2)), rng.normal(size=(20, 3))
    correlation = gp.matern(places, places, length_um=2.0)
    noise, error = 0.3, 0.0
    for i in range(20):
        rest = np.delete(np.arange(20), i)
        matrix = correlation[np.ix_(rest, rest)] + noise * np.eye(19)
        guess = correlation[i, rest] @ cho_solve(cho_factor(matrix), patterns[rest])
        error += ((patterns[i] - guess) ** 2).sum()
    np.testing.assert_allclose(gp._left_out(correlation, patterns, noises=[noise]), error)


def test_length_and_noise_are_found_again():
    rng = np.random.default_rng(0)
    places = np.column_stack([axis.ravel() for axis in np.mgrid[:20, :20]]) * 100.0
    true = gp.matern(places, places, length_um=400.0) + 1e-9 * np.eye(400)
    maps = np.linalg.cholesky(true) @ rng.normal(size=(400, 40))
    noisy = maps + rng.normal(size=maps.shape)
    process = create_enhancer("kriging").learn(places, noisy)
    assert process.noise == 1.0
    assert process.correlation.keywords["length_um"] == 400.0
    said, variance = gp.predict(process, places, noisy, places)
    assert np.mean((said - maps) ** 2) == pytest.approx(variance.mean(), rel=0.1), "the variance says how far off it is"


def test_nearest_spots_say_what_all_say(monkeypatch):
    rng = np.random.default_rng(0)
    places = np.column_stack([axis.ravel() for axis in np.mgrid[:15, :15]]) * 100.0
    values = np.sin(places[:, :1] / 300) + 0.3 * rng.normal(size=(225, 4))
    process = create_enhancer("kriging", length_um=200.0, noise=0.3).learn(places, values)
    asked = places[:40] + 50
    whole = gp.predict(process, places, values, asked)
    monkeypatch.setattr(gp, "WHOLE", 100)
    near = gp.predict(process, places, values, asked)
    np.testing.assert_allclose(near[0], whole[0], atol=0.02)
    np.testing.assert_allclose(near[1], whole[1], rtol=0.3)


def test_every_spot_is_hidden_three_times_and_given_once(section):
    turns = hidden_spots(section, hide="between")
    assert [turn.sum() for turn in turns] == [147] * 4
    assert (np.sum(turns, axis=0) == 3).all()
    for hide in ("random", "areas"):
        assert (np.sum(hidden_spots(section, hide=hide), axis=0) == 1).all()


@pytest.mark.parametrize("first", [0, 1])
def test_of_a_hexagonal_array_three_of_four_spots_are_hidden_wherever_it_begins(section, first):
    row, column = np.mgrid[:8, :8]
    array_xy = np.column_stack([(2 * column + (row + first) % 2).ravel(), row.ravel()]).astype(float)
    tiles = replace(section.tiles.take(np.arange(64)), array_xy=array_xy)
    turns = hidden_spots(replace(section.take(np.arange(64)), tiles=tiles), hide="between")
    assert [turn.sum() for turn in turns] == [48] * 4
    assert len(hidden_spots(replace(section.take(np.arange(64)), tiles=tiles), hide="areas")) == 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"genes": ["TP53"]}, "TP53"),
        ({"genes": []}, "genes to enhance expected, found none"),
        ({"factor": 0}, "of 2 to 8 expected, found 0"),
    ],
)
def test_bad_wishes_are_sentences(section, change, said):
    with pytest.raises(InputError, match=said):
        create_enhancer("nearest").enhance(section, **change)


@pytest.mark.parametrize("name", ["kriging", "stentrans", "common_map"])
def test_naming_genes_changes_none_of_their_values(section, name):
    every = small(name).enhance(section)
    one = small(name).enhance(section, genes="G3")
    two = small(name).enhance(section, genes=["G7", "G3"])
    np.testing.assert_array_equal(one.X, every[:, ["G3"]].X)
    np.testing.assert_array_equal(two.X, every[:, ["G7", "G3"]].X)
    assert one.X.std() > 0.01
    assert (one.obs["in_section"] == every.obs["in_section"]).all()
    if name == "kriging":
        np.testing.assert_array_equal(two.layers["variance"], every[:, ["G7", "G3"]].layers["variance"])
    for told in (one, two, every):
        measured = ExpressionSpace(tuple(every.var_names))(section.counts)
        there = every.var_names.get_indexer(told.var_names)
        np.testing.assert_array_equal(measured_beside(told, section.counts), measured[:, there])


def test_a_rare_gene_that_is_named_is_learnt_from_too(section):
    counts = section.counts.copy()
    rare = counts.X.toarray()
    rare[3:, 0] = 0
    rare[:3, 0] = 2
    counts.X = sparse.csr_matrix(rare)
    told = create_enhancer("kriging").enhance(replace(section, counts=counts), genes=["G5", "G0"])
    assert list(told.var_names) == ["G5", "G0"]
    assert "G0" in told.uns["mclstexp"]["panel"]
    assert "G0" not in create_enhancer("kriging").enhance(replace(section, counts=counts)).var_names


def test_places_of_another_slide_are_refused(section):
    other = replace(section.tiles, slide=ArraySlide(np.zeros((9, 9, 3), np.uint8), mpp=10.0, id="other"))
    with pytest.raises(InputError, match="places on the slide of section made expected, found some on other"):
        create_enhancer("nearest").enhance(section, places=other)


def test_spots_without_counts_are_not_learnt_from(section):
    counts = section.counts.copy()
    blank = np.zeros(len(section), bool)
    blank[:20] = True
    counts.X = np.where(blank[:, None], 0, counts.X.toarray())
    enhanced = create_enhancer("nearest").enhance(replace(section, counts=counts))
    assert enhanced.obs["in_section"].sum() == len(section) - 20
    assert (enhanced.X[: len(section)][blank].sum(axis=1) > 0).all()
    with pytest.raises(InputError, match="at least 10 spots with counts of the genes expected, found 4"):
        create_enhancer("nearest").enhance(section.take(np.arange(4)), places=section.tiles)


@pytest.mark.parametrize("given", [{"length_um": 0.0}, {"noise": -1.0}, {"noise": float("nan")}])
def test_kriging_refuses_numbers_that_are_none(given):
    with pytest.raises(InputError, match="must be positive and finite"):
        create_enhancer("kriging", **given)


def test_an_image_method_tells_places_by_what_is_seen_there(section):
    hidden = hidden_spots(section, hide="between")[0]
    given, asked = section.take(~hidden), section.take(hidden).tiles
    space = ExpressionSpace(section.genes)
    ridge = create("ridge", encoder=ENCODER).fit([given], space=space)
    said = small("image").enhance(given, places=asked, genes=section.genes)
    np.testing.assert_array_equal(said.X, ridge.predict(asked).X)
    assert said.uns["mclstexp"]["numerics"]["encoder"] == ENCODER
    assert create_enhancer("image", method="mean").enhance(given, places=asked).X.std(axis=0).max() < 1e-4
    with pytest.raises(InputError, match="did you mean 'ridge'"):
        create_enhancer("image", method="rigde")


def test_many_spots_are_looked_at_a_few_at_a_time(section, monkeypatch):
    for name, number in (("WHOLE", 100), ("PATCH", 40), ("N_PATCHES", 2), ("NEAR", 30)):
        monkeypatch.setattr(gp, name, number)
    sizes, looked = [], image_kriging.matern_of_looks

    def noted(one, other, **how):
        sizes.append(len(one) * len(other))
        return looked(one, other, **how)

    monkeypatch.setattr(image_kriging, "matern_of_looks", noted)
    told = small("image_kriging").enhance(section, places=section.tiles.take(np.arange(20)))
    assert max(sizes) == 40 * 40, "never all spots by all"
    assert told.shape == (20, GENES)
