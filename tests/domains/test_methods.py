"""Every method that finds domains finds those that are there, and sees nothing of what a person called them."""

from functools import lru_cache

import numpy as np
import pytest
from anndata import AnnData
from sklearn.metrics import adjusted_rand_score

from made_bands import looks_of, made_bands
from mclstexp.core.domain_finder import DomainFinder
from mclstexp.core.errors import InputError
from mclstexp.domains import create_domain_finder, list_domain_finders
from slowly import slowly
from small_methods import ENCODER

SMALL = {
    "stmmc": {"encoder": ENCODER, "n_epochs": 50, "dim": 8, "learning_rate": 0.03},
    "image_only": {"encoder": ENCODER, "n_components": 3},
}
NAMES = list(list_domain_finders())


def small(name, **options):
    if name == "leiden":
        pytest.importorskip("igraph", reason="the extra mclstexp[analysis] is not installed")
    return create_domain_finder(name, **SMALL.get(name, {}) | options)


def ari(section, found):
    return adjusted_rand_score(section.counts.obs["label"], found.obs["domain"].cat.codes)


@pytest.fixture(scope="module")
def section():
    return made_bands()


@pytest.fixture(scope="module")
def plain(section):
    """What each method finds of the bands: found once."""

    @lru_cache
    def find(name):
        return small(name).find(section, n_domains=3, features=looks_of(section))

    return find


@pytest.mark.parametrize("name", NAMES)
def test_bands_are_found(section, plain, name):
    found = plain(name)
    assert ari(section, found) > 0.8
    assert found.obs["domain"].cat.categories.tolist() == ["1", "2", "3"]
    assert (np.diff(found.obs["domain"].value_counts().sort_index()) <= 0).all(), "the largest comes first"
    assert found.obs_names.tolist() == section.tiles.ids.tolist()
    assert np.isfinite(found.obsm["embedding"]).all()
    np.testing.assert_array_equal(found.obsm["spatial"], section.tiles.xy)
    made = found.uns["mclstexp"]
    assert (made["question"], made["method"], made["number"], made["n_domains"]) == ("domains", name, "given", 3)


@pytest.mark.parametrize("name", [slowly(name) if name == "stmmc" else name for name in NAMES])
def test_labels_replaced_by_random_ones_move_nothing_and_seeds_reproduce(section, plain, name):
    first = plain(name)
    other = made_bands()
    rng = np.random.default_rng(1)
    other.counts.obs["label"] = rng.permutation(np.array(["a", "b", "c", "d"] * len(other))[: len(other)])
    other.counts.obs["layer"] = rng.integers(9, size=len(other))
    second = small(name).find(other, n_domains=3, features=looks_of(section))
    np.testing.assert_array_equal(first.obs["domain"].cat.codes, second.obs["domain"].cat.codes)
    np.testing.assert_array_equal(first.obsm["embedding"], second.obsm["embedding"])
    assert first.uns["mclstexp"] == second.uns["mclstexp"]


@pytest.mark.parametrize("name", [slowly(name) if name == "stmmc" else name for name in NAMES])
def test_a_method_that_does_not_look_or_need_places_is_not_moved_by_them(section, plain, name):
    method, embedded = small(name), plain(name).obsm["embedding"]
    features = looks_of(section)
    counts = section.counts.copy()
    counts.obsm["spatial"] = section.tiles.xy_um
    order = np.random.default_rng(0).permutation(len(section))
    moved = method.find(counts, n_domains=3, features=features[order]).obsm["embedding"]
    assert np.array_equal(embedded, moved) == (not method.looks)
    counts.obsm["spatial"] = counts.obsm["spatial"][order]
    moved = method.find(counts, n_domains=3, features=features).obsm["embedding"]
    assert np.array_equal(embedded, moved) == (name not in ("spatial_kmeans", "stmmc"))  # leiden cuts by places


@pytest.mark.slow
def test_a_noisy_image_costs_stmmc_little(section, plain):
    noise = np.random.default_rng(5).normal(size=(len(section), 3))
    told = ari(section, plain("stmmc"))
    untold = ari(section, small("stmmc").find(section, n_domains=3, features=noise))
    assert told >= 0.9
    assert untold > told - 0.1, "what does not help is weighed down"


@pytest.mark.parametrize("options", [{"image_graph": "space"}, {"image_graph": "image", "n_layers": 2}])
@pytest.mark.slow
def test_other_graphs_and_layers_of_stmmc(section, options):
    found = small("stmmc", **options).find(section, n_domains=3, features=looks_of(section))
    assert ari(section, found) > 0.9


@pytest.mark.slow
def test_stmmc_without_an_image_needs_none(section):
    method = small("stmmc", use_image=False)
    assert not method.looks
    assert ari(section, method.find(section.counts, n_domains=3)) > 0.9
    published = create_domain_finder("stmmc", preset="published")
    assert (published.n_neighbours, published.refine, published.released) == (3, 50, True)


@pytest.mark.parametrize("name", ["image_only", "stmmc"])
@pytest.mark.slow
def test_the_image_is_looked_at_where_no_features_are_given(section, name):
    found = small(name).find(section, n_domains=3)
    assert found.obs["domain"].notna().all()
    assert found.uns["mclstexp"]["numerics"]


@pytest.mark.slow
def test_the_number_is_found_without_labels(section):
    found = small("spatial_kmeans").find(section)
    assert found.obs["domain"].nunique() == 3
    made = found.uns["mclstexp"]
    assert made["number"] == "by stability"
    assert max(made["stability"], key=made["stability"].get) == "3"
    assert small("leiden").find(section).uns["mclstexp"]["number"] == "by the method"


def test_another_order_of_spots_finds_the_same(section):
    order = np.random.default_rng(3).permutation(len(section))
    first = small("spatial_kmeans").find(section, n_domains=3).obs["domain"]
    second = small("spatial_kmeans").find(section.take(order), n_domains=3).obs["domain"]
    assert adjusted_rand_score(first.iloc[order], second) == 1


def test_spots_without_counts_and_tiles_without_a_prediction_get_no_domain(section):
    counts = section.counts.copy()
    blank = np.arange(len(section)) < 7
    counts.X = np.where(blank[:, None], 0, counts.X.toarray())
    with pytest.warns(UserWarning, match="7 of 225 spots have no counts or no prediction: they get no domain"):
        found = small("kmeans").find(counts, n_domains=3)
    np.testing.assert_array_equal(found.obs["domain"].isna(), blank)
    assert np.isnan(found.obsm["embedding"][blank]).all()
    predicted = AnnData(np.log1p(section.counts.X.toarray()), obsm={"spatial": section.tiles.xy})
    predicted.uns["mclstexp"] = {"space": {}}
    predicted.X[3] = np.nan
    with pytest.warns(UserWarning, match="1 of 225 spots"):
        found = small("kmeans").find(predicted, n_domains=3)
    assert found.obs["domain"].isna().to_numpy().nonzero()[0].tolist() == [3]


def _without_places(section):
    counts = section.counts.copy()
    del counts.obsm["spatial"]
    return counts


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("kmeans", {"n_domains": 1}, "n_domains= of 2 or more expected, found 1: leave it out to have it found"),
        ("kmeans", {"n_domains": 226}, "n_domains= of at most 225, the number of spots, expected, found 226"),
        ("kmeans", {"n_domains": 2.0}, "of 2 or more expected, found 2.0"),
        ("stmmc", {"n_domains": 3, "features": np.zeros((3, 2))}, "a finite row for each of the 225 spots expected"),
    ],
)
def test_bad_wishes_are_sentences(section, name, change, said):
    with pytest.raises(InputError, match=said):
        small(name).find(section, **change)


def test_bad_sections_are_sentences(section):
    with pytest.raises(InputError, match="a section with its image expected for image_only, found counts alone"):
        small("image_only").find(section.counts, n_domains=3)
    with pytest.raises(InputError, match=r"places in obsm\[.spatial.\] expected for spatial_kmeans, found none"):
        small("spatial_kmeans").find(_without_places(section), n_domains=3)
    assert small("kmeans").find(_without_places(section), n_domains=3).obs["domain"].nunique() == 3
    counts = section.counts.copy()
    counts.obsm["spatial"] = np.full((counts.n_obs, 2), 7.0)
    with pytest.raises(InputError, match="spots at places of their own expected for spatial_kmeans, found all at one"):
        small("spatial_kmeans").find(counts, n_domains=3)
    with pytest.raises(InputError, match="at least 10 spots with counts expected, found 4 of 4"):
        small("kmeans").find(section.take(np.arange(4)), n_domains=3)
    counts = section.counts.copy()
    counts.X = counts.X * 0.5
    with pytest.raises(InputError, match="raw integer counts expected, found a fractional value"):
        small("kmeans").find(counts, n_domains=3)
    counts = section.counts.copy()
    counts.var_names = ["G0"] * counts.n_vars
    with pytest.raises(InputError, match="each gene once expected, found 'G0' twice"):
        small("kmeans").find(counts, n_domains=3)
    with pytest.raises(InputError, match="two or more genes counted in 5% of the spots expected, found 1"):
        small("kmeans").find(section.counts[:, :1].copy(), n_domains=3)
    counts = section.counts.copy()
    for nowhere in (np.nan, 1e300):
        counts.obsm["spatial"][2] = nowhere
        with pytest.raises(InputError, match="finite places expected"):
            small("spatial_kmeans").find(counts, n_domains=3)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("kmeans", {"n_genes": 0}, "n_genes above 0 expected, found 0"),
        ("leiden", {"share_of_space": 1.5}, "share_of_space of 0 to 1 expected"),
        ("stmmc", {"refine": -1}, "refine of 0 or more expected"),
        ("spatial_kmeans", {"n_neighbours": 0}, "n_neighbours above 0 expected"),
        ("kmean", {}, "did you mean 'kmeans'"),
    ],
)
def test_bad_options_are_sentences(name, options, said):
    with pytest.raises(InputError, match=said):
        create_domain_finder(name, **options)


class _Wrong(DomainFinder):
    seed = 0

    def _embed(self, tissue):
        return np.full((len(tissue), 2), np.nan)

    def _cut(self, points, tissue, n_domains):
        return np.zeros(len(points), int)


def test_a_method_that_returns_no_numbers_is_caught(section):
    with pytest.raises(RuntimeError, match="or no numbers"):
        _Wrong().find(section, n_domains=3)


def test_another_number_than_was_asked_for_is_said(section):
    with pytest.warns(UserWarning, match="image_only found 1 domains where 2 were asked for: spots differ too little"):
        small("image_only").find(section, n_domains=2, features=np.ones((len(section), 3)))


def test_every_method_has_a_seed_and_a_sentence():
    for name, cls in list_domain_finders().items():
        assert isinstance(cls().seed, int), name
        assert cls.__doc__
