from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

import st_files as files
from mclstexp.io.st_folder import read_st_folder
from mclstexp.plotting.overlay import plot_overlay


@pytest.fixture
def section(tmp_path):
    return read_st_folder(files.write_st_folder(tmp_path / "rep01"), mpp=files.MPP)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def _rings(ax):
    return {rings.get_gid(): rings for rings in ax.collections}


def test_spots_have_their_true_size_and_place(section):
    ax = plot_overlay(section)
    rings = _rings(ax)["spots"]
    assert np.asarray(rings.get_offsets()) == pytest.approx(section.tiles.xy * files.MPP)
    assert set(rings.get_widths()) == {100.0}
    assert tuple(ax.images[0].get_extent()) == (0, 1700, 1500, 0)
    # rows count downwards
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert ax.get_title() == "rep01: 21 spots, 10 µm per pixel"


def test_a_ring_marks_the_origin_of_the_array(section):
    rings = _rings(plot_overlay(section))["array origin"]
    # the first spot has the smallest array coordinates
    assert np.asarray(rings.get_offsets()) == pytest.approx(section.tiles.xy[[0]] * files.MPP)
    assert to_hex(rings.get_edgecolor()[0]) != to_hex(_rings(plot_overlay(section))["spots"].get_edgecolor()[0])


def test_spots_beside_the_image_are_in_sight(section):
    away = replace(section, tiles=replace(section.tiles, xy=section.tiles.xy + np.array([500, 0]), array_xy=None))
    ax = plot_overlay(away)
    assert ax.get_xlim()[1] > away.tiles.xy_um[:, 0].max()
    assert list(_rings(ax)) == ["spots"]


def test_unknown_size_is_half_the_distance(section):
    del section.counts.uns["spot_diameter_um"]
    (width,) = set(_rings(plot_overlay(section))["spots"].get_widths())
    assert 80 < width < 120


def test_given_axes_are_drawn_on_and_nothing_is_shown(section, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda: pytest.fail("shown"))
    _, ax = plt.subplots()
    assert plot_overlay(section, ax=ax, max_size_px=50) is ax
    assert max(ax.images[0].get_array().shape) == 50
