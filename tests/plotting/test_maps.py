"""Maps: the data behind the picture, not the picture."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from anndata import AnnData
from matplotlib.collections import EllipseCollection, PolyCollection
from matplotlib.transforms import Affine2D
from scipy.stats import pearsonr

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.synthetic import make_sections
from mclstexp.plotting.maps import plot_map, plot_slide, plot_truth_and_prediction, robust_limits
from mclstexp.plotting.style import save_figure, scale_bar

SPEC = TileSpec(28, 4.0)


@pytest.fixture(scope="module")
def section():
    return make_sections(1, n_spots_side=4, n_genes=8, mpp=4.0, spec=SPEC)[0]


@pytest.fixture
def space(section):
    return ExpressionSpace(genes=section.genes)


@pytest.fixture
def prediction(section, space):
    noise = np.random.default_rng(0).normal(0, 0.3, (len(section), len(space.genes)))
    predicted = AnnData((space(section.counts) + noise).astype(np.float32))
    predicted.obs_names, predicted.var_names = section.tiles.ids, list(space.genes)
    return predicted


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def drawn(ax):
    return next(c for c in ax.collections if isinstance(c, EllipseCollection | PolyCollection))


def test_spots_lie_at_their_place_in_their_true_size(section):
    values = np.arange(len(section), dtype=float)
    ax = plot_map(section.tiles, values, spot_um=55)
    spots = drawn(ax)
    np.testing.assert_allclose(spots.get_offsets(), section.tiles.xy_um)
    np.testing.assert_allclose(spots.get_widths(), 55)
    np.testing.assert_array_equal(spots.get_array(), values)
    ax.figure.draw_without_rendering()
    drawn_as = Affine2D(spots.get_transforms()[0]) + spots.get_transform()
    width_px = np.ptp(spots.get_paths()[0].transformed(drawn_as).vertices[:, 0])
    assert width_px == pytest.approx(np.ptp(ax.transData.transform([[0, 0], [55, 0]])[:, 0]), rel=1e-3)


def test_tiles_of_a_grid_are_squares_that_meet(section):
    tiles = Tiles.grid(section.tiles.slide, spec=SPEC)
    squares = drawn(plot_map(tiles, np.zeros(len(tiles))))
    first = squares.get_paths()[0].get_extents()
    assert first.width == pytest.approx(SPEC.size_um)
    assert first.p0 == pytest.approx((0, 0))


def test_the_slide_lies_beneath_in_um_with_row_0_on_top(section):
    slide = section.tiles.slide
    image = plot_slide(slide).images[0]
    width, height = np.array(slide.size_px) * slide.mpp
    assert image.get_extent() == pytest.approx([0, width, height, 0])
    np.testing.assert_array_equal(image.get_array(), slide.thumbnail(1200))


def test_limits_leave_single_spots_out_and_may_be_given(section):
    values = np.linspace(0, 1, len(section))
    values[0] = 1e6
    assert drawn(plot_map(section.tiles, values)).get_clim() == robust_limits(values)
    assert drawn(plot_map(section.tiles, values, limits=(0, 2))).get_clim() == (0, 2)


@pytest.mark.parametrize("values", [np.full(5, 3.0), np.full(5, np.nan), np.array([np.nan, 2.0])])
def test_limits_of_constant_or_missing_values_are_apart(values):
    low, high = robust_limits(values)
    assert low < high


def test_missing_values_are_masked(section):
    values = np.ones(len(section))
    values[2] = np.nan
    assert np.flatnonzero(drawn(plot_map(section.tiles, values)).get_array().mask).tolist() == [2]


def test_it_draws_where_it_is_told(section):
    _, ax = plt.subplots()
    assert plot_map(section.tiles, np.zeros(len(section)), ax=ax) is ax


def test_a_value_per_tile_is_needed(section):
    with pytest.raises(InputError, match="one value per tile"):
        plot_map(section.tiles, np.zeros(3))


def test_truth_and_prediction_share_one_scale(section, space, prediction):
    axes = plot_truth_and_prediction(section, prediction, "TUMOUR1", space=space)
    truth = space(section.counts)[:, space.genes.index("TUMOUR1")]
    guess = prediction[:, "TUMOUR1"].X.ravel()
    measured, predicted, difference = (drawn(ax) for ax in axes[1:])
    np.testing.assert_allclose(measured.get_array(), truth)
    np.testing.assert_allclose(predicted.get_array(), guess)
    np.testing.assert_allclose(difference.get_array(), guess.astype(float) - truth, atol=1e-6)
    assert measured.get_clim() == predicted.get_clim()
    low, high = difference.get_clim()
    assert low == -high
    assert f"PCC {pearsonr(truth, guess)[0]:.2f}" in axes[2].get_title()
    assert "TUMOUR1" in axes[0].get_title()
    assert section.id in axes[0].get_title()


def test_rows_are_joined_by_name_not_by_place(section, space, prediction):
    turned = prediction[::-1].copy()
    axes = plot_truth_and_prediction(section, turned, "FAT1", space=space)
    np.testing.assert_allclose(drawn(axes[2]).get_array(), prediction[:, "FAT1"].X.ravel())


def test_other_tiles_scales_and_genes_are_refused(section, space, prediction):
    with pytest.raises(InputError, match="1 missing"):
        plot_truth_and_prediction(section, prediction[1:], "FAT1", space=space)
    with pytest.raises(InputError, match="found 'NONE'"):
        plot_truth_and_prediction(section, prediction, "NONE", space=space)
    with pytest.raises(InputError, match="four axes"):
        plot_truth_and_prediction(section, prediction, "FAT1", space=space, axes=plt.subplots(1, 2)[1])
    prediction.uns["mclstexp"] = {"space": {"target_sum": 1e6}}
    with pytest.raises(InputError, match="its own space"):
        plot_truth_and_prediction(section, prediction, "FAT1", space=space)


def test_a_constant_truth_has_no_pcc(section, space, prediction):
    silent = section.take(np.arange(len(section)))
    silent.counts.X = silent.counts.X * 0
    axes = plot_truth_and_prediction(silent, prediction, "FAT1", space=space)
    assert "undefined" in axes[2].get_title()


@pytest.mark.parametrize(("width", "mpp", "length_um"), [(1000, 1.0, 200), (1000, 0.5, 100), (50_000, 0.5, 5000)])
def test_a_scale_bar_is_round_and_true(width, mpp, length_um):
    _, ax = plt.subplots()
    ax.set(xlim=(0, width), ylim=(100, 0))
    assert scale_bar(ax, mpp) == length_um
    bar = next(line for line in ax.lines if line.get_gid() == "scale_bar")
    assert np.ptp(bar.get_xdata()) * mpp == pytest.approx(length_um)
    assert ax.get_xlim() == (0, width)
    assert ax.texts[0].get_text() == (f"{length_um // 1000} mm" if length_um >= 1000 else f"{length_um} µm")


def test_letters_of_a_vector_file_stay_letters_and_settings_come_back(section, tmp_path):
    before = plt.rcParams["svg.fonttype"]
    ax = plot_map(section.tiles, np.zeros(len(section)), label="FAT1", spot_um=55)
    save_figure(ax.figure, tmp_path / "map.svg")
    assert plt.rcParams["svg.fonttype"] == before
    assert ">FAT1<" in (tmp_path / "map.svg").read_text()


def test_a_map_of_spots_shows_where_they_are_and_little_else(section):
    corner = section.take(np.flatnonzero((section.tiles.xy < np.median(section.tiles.xy, axis=0)).all(axis=1)))
    ax = plot_map(corner.tiles, np.zeros(len(corner)), spot_um=55)
    low, high = corner.tiles.xy_um.min(axis=0), corner.tiles.xy_um.max(axis=0)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert left < low[0] - 27.5
    assert right > high[0] + 27.5
    assert top < low[1] - 27.5
    assert bottom > high[1] + 27.5
    assert right - left <= high[0] - low[0] + 2 * SPEC.size_um
    width, height = np.array(section.tiles.slide.size_px) * section.tiles.slide.mpp
    assert ax.images[0].get_extent() == pytest.approx([0, width, height, 0])


def test_a_faded_slide_is_paler_and_greyer(section):
    plain, faded = (plot_slide(section.tiles.slide, fade=f).images[0].get_array().astype(float) for f in (0, 0.6))
    assert faded.mean() > plain.mean()
    assert np.ptp(faded, axis=2).mean() < 0.3 * np.ptp(plain, axis=2).mean()


def test_the_edge_of_a_small_disc_is_thin(section):
    wide = drawn(plot_map(section.tiles, np.zeros(len(section)), spot_um=100)).get_linewidth()[0]
    small = drawn(plot_map(section.tiles, np.zeros(len(section)), spot_um=5)).get_linewidth()[0]
    assert small < wide <= 0.2
