"""Position alone: the nearest spots are averaged, no pixel is read, the slides' own frames are all that is shared."""

from dataclasses import replace

import numpy as np
import pytest
from anndata import AnnData
from scipy import sparse

from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Slide, Tiles
from mclstexp.methods import create
from small_methods import small_sections


class _Dark(Slide):
    """A slide that must not be read."""

    def __init__(self, *, size_px=(1000, 800), mpp=2.0):
        self.id, self.mpp, self.size_px = "dark", mpp, size_px

    def read(self, xy, spec):
        raise AssertionError

    def thumbnail(self, max_size_px):
        raise AssertionError

    def fingerprint(self):
        raise AssertionError


def _section(name, *, slide=None, side=8, seed=0):
    """Three genes: one rises to the right, one downwards, one nowhere."""
    slide = slide or _Dark()
    share = (np.arange(side) + 0.5) / side
    at = np.stack(np.meshgrid(share, share), axis=-1).reshape(-1, 2)
    rates = np.column_stack([20 + 200 * at, np.full(len(at), 100.0)])
    ids = [f"{name}{i}" for i in range(len(at))]
    counts = AnnData(sparse.csr_matrix(np.random.default_rng(seed).poisson(rates)))
    counts.obs_names, counts.var_names = ids, ["right", "down", "flat"]
    return Section(
        id=name, patient=name, tiles=Tiles(slide=slide, xy=at * np.array(slide.size_px), ids=ids), counts=counts
    )


def test_expression_that_follows_position_is_found_without_a_pixel():
    sections = [_section(f"s{n}", seed=n) for n in range(4)]
    model = create("coordinates").fit(sections[:3])
    predicted, truth = model.predict(sections[3].tiles).X, model.space_(sections[3].counts)
    assert [np.corrcoef(truth[:, i], predicted[:, i])[0, 1] > 0.8 for i in range(2)] == [True, True]


def test_k_spots_are_averaged_and_no_more_than_there_are():
    train, test = _section("a"), _section("b", seed=1)
    nearest = create("coordinates", k=1).fit([train])
    np.testing.assert_allclose(nearest.predict(test.tiles).X, nearest.space_(train.counts), rtol=1e-6)
    mean = create("mean").fit([train]).predict(test.tiles).X
    np.testing.assert_allclose(create("coordinates", k=999).fit([train]).predict(test.tiles).X, mean, rtol=1e-5)


def test_what_counts_is_the_distance_in_um_from_the_slides_middle():
    train = _section("a")
    model = create("coordinates", k=1).fit([train])
    fine = _Dark(size_px=(4400, 3200), mpp=0.5)  # 2200 × 1600 µm, the other 2000 × 1600
    middle = np.array([2200.0, 1600.0])
    xy = middle + (train.tiles.xy - np.array([500.0, 400.0])) * 4
    same = replace(train.tiles, slide=fine, xy=xy)
    np.testing.assert_array_equal(model.predict(same).X, model.predict(train.tiles).X)


def test_k_is_chosen_on_held_out_sections_of_training():
    smooth = create("coordinates").fit([_section(f"s{n}", side=20, seed=n) for n in range(3)])
    assert smooth.k_ in (10, 25, 50, 100, 200)
    assert create("coordinates").fit([_section("a")]).k_ == 100
    assert create("coordinates", k=7).fit(small_sections()).k_ == 7


def test_impossible_k_is_refused():
    with pytest.raises(InputError, match="k must be at least 1, found 0"):
        create("coordinates", k=0)
