"""The gallery: the tiles shown are those of the spots that weigh most."""

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.retrieval import strongest
from mclstexp.io.models import load_model, save_model
from mclstexp.methods import create, list_methods
from mclstexp.plotting.gallery import find_spots, plot_gallery
from mclstexp.plotting.sources import plot_sources, spot_weights
from small_methods import ENCODER, small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections()


@pytest.fixture(scope="module")
def model(sections):
    return create("knn", encoder=ENCODER, k=4).fit(sections[:2])


def shown(ax):
    return np.asarray(ax.images[0].get_array())


def test_each_row_shows_a_tile_and_the_tiles_of_its_spots(model, sections):
    asked = sections[2].tiles
    axes = plot_gallery(model, asked, sections, at=[0, 5], n_neighbours=3)
    assert axes.shape == (2, 4)
    found = strongest(model.retrieve(asked), n=3)
    joined = [(section, i) for section in sections[:2] for i in range(len(section))]
    for row, number in enumerate([0, 5]):
        np.testing.assert_array_equal(shown(axes[row, 0]), asked.read(number))
        for column in range(3):
            section, index = joined[found.rows[number, column]]
            np.testing.assert_array_equal(shown(axes[row, 1 + column]), section.tiles.read(index))
            title = axes[row, 1 + column].get_title()
            assert title.startswith(section.id)
            assert section.tiles.ids[index] in title
            assert "weight 25 %" in title
            assert f"cos {found.cosine[number, column]:.2f}" in title


def test_every_spot_that_contributes_is_drawn_with_its_weight(model, sections):
    asked = sections[2].tiles
    weights = spot_weights(model.retrieve(asked), 5)
    assert weights.sum() == pytest.approx(1)
    assert (weights > 0).sum() == 4
    axes = plot_sources(model, asked, sections, at=5)
    at = next(line for line in axes[0].lines if line.get_gid() == "asked")
    np.testing.assert_allclose([at.get_xdata()[0], at.get_ydata()[0]], asked.xy_um[5])
    ends = np.cumsum([len(section) for section in sections[:2]])
    for ax, section, part in zip(axes[1:], sections, np.split(weights, ends[:1]), strict=False):
        drawn = next(shapes for shapes in ax.collections if shapes.get_array() is not None)
        np.testing.assert_allclose(drawn.get_array(), 100 * part[part > 0])
        assert drawn.get_clim() == (0, 100 * weights.max())
        assert ax.get_title() == f"{section.id}: {100 * part.sum():.0f} %"
    with pytest.raises(InputError, match="3 axes"):
        plot_sources(model, asked, sections, at=5, axes=axes[:2])


def test_a_tile_it_was_fitted_on_finds_itself(model, sections):
    found = strongest(model.retrieve(sections[1].tiles), n=1)
    places = find_spots(model, sections[::-1])
    assert [places[row] for row in found.rows[:, 0]] == [(sections[1], i) for i in range(len(sections[1]))]
    np.testing.assert_allclose(found.cosine, 1, atol=1e-5)


def test_a_saved_model_knows_its_spots_too(model, sections, tmp_path):
    save_model(model, tmp_path / "model")
    assert find_spots(load_model(tmp_path / "model", methods=list_methods()), sections) == find_spots(model, sections)


def test_other_sections_than_those_of_the_fit_are_refused(model, sections):
    with pytest.raises(InputError, match="none of that name"):
        find_spots(model, sections[1:])
    with pytest.raises(InputError, match="other counts or places"):
        find_spots(model, [sections[0].take(np.arange(3)), sections[1]])


def test_a_method_that_keeps_no_spots_is_refused(sections):
    mean = create("mean").fit(sections[:2])
    with pytest.raises(InputError, match="keeps none"):
        plot_gallery(mean, sections[2].tiles, sections, at=[0])
