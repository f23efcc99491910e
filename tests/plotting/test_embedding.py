"""Embeddings in a plane: nothing lost, nothing moved, colours by group."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from mclstexp.core.errors import InputError
from mclstexp.plotting.embedding import embedding_plane, plot_embedding
from mclstexp.plotting.style import COLOURS


@pytest.fixture
def parts():
    rng = np.random.default_rng(0)
    images, spots = rng.normal(size=(30, 8)), rng.normal(size=(50, 8)) + 2
    return images, spots, ["C2"] * 30, ["C2"] * 20 + ["C3"] * 30


def drawn(ax):
    (dots,) = (c for c in ax.collections if c.get_gid() == "embeddings")
    return dots.get_offsets(), dots.get_facecolors()[:, :3]


def test_every_embedding_is_a_dot_in_the_colour_of_its_group(parts):
    images, spots, of_images, of_spots = parts
    axes = plot_embedding(images, spots, image_sections=of_images, spot_sections=of_spots)
    plane = embedding_plane(np.concatenate([images, spots]))
    for ax, groups in zip(axes, (np.arange(80) >= 30, np.arange(80) >= 50), strict=True):
        offsets, colours = drawn(ax)
        order = np.lexsort(offsets.T)
        np.testing.assert_allclose(offsets[order], plane[np.lexsort(plane.T)])
        expected = np.array([to_rgb(COLOURS[int(group)]) for group in groups])[np.lexsort(plane.T)]
        np.testing.assert_allclose(colours[order], expected)
    assert [t.get_text() for t in axes[1].get_legend().get_texts()] == ["C2", "C3"]


def test_length_does_not_matter(parts):
    images, *_ = parts
    np.testing.assert_allclose(embedding_plane(images), embedding_plane(images * 7), atol=1e-9)


def test_each_embedding_needs_a_section(parts):
    images, spots, of_images, _ = parts
    with pytest.raises(InputError, match="found 30 and 30"):
        plot_embedding(images, spots, image_sections=of_images, spot_sections=of_images)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_umap_keeps_groups_apart(parts):
    pytest.importorskip("umap")
    images, spots, *_ = parts
    plane = embedding_plane(np.concatenate([images, spots + 3]), way="umap")
    assert plane.shape == (80, 2)
    np.testing.assert_array_equal(plane, embedding_plane(np.concatenate([images, spots + 3]), way="umap"))


def test_umap_says_how_to_install_it(parts, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    with pytest.raises(InputError, match="pip install"):
        embedding_plane(parts[0], way="umap")
