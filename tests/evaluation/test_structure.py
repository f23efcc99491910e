"""Metrics of pattern: scikit-image's where the array is full, worked by hand elsewhere."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import structural_similarity

from mclstexp.data.autocorrelation import morans_i, neighbour_weights
from mclstexp.evaluation import structure
from mclstexp.evaluation.structure import gene_correlation_error, moran_error, ssim, svg_recovery

RNG = np.random.default_rng(0)
ROWS, COLUMNS = 9, 11
ROW, COLUMN = (a.ravel() for a in np.mgrid[:ROWS, :COLUMNS])
ARRAY = np.column_stack([COLUMN, ROW]).astype(float)
TRUTH = np.sin(ARRAY @ RNG.normal(size=(2, 4)) / 2) + 0.3 * RNG.normal(size=(ROWS * COLUMNS, 4))
PREDICTED = TRUTH + RNG.normal(size=TRUTH.shape)
WEIGHTS = neighbour_weights(ARRAY * 100)


def _scikit_images(truth, predicted):
    truth, predicted = (values.reshape(ROWS, COLUMNS) for values in (truth, predicted))
    return structural_similarity(truth, predicted, data_range=np.ptp(truth), full=True)[1]


def test_on_a_full_array_it_is_scikit_images_map_averaged():
    expected = [_scikit_images(TRUTH[:, g], PREDICTED[:, g]).mean() for g in range(4)]
    np.testing.assert_allclose(ssim(TRUTH, PREDICTED, array_xy=ARRAY), expected, rtol=1e-12)
    np.testing.assert_allclose(ssim(TRUTH, TRUTH, array_xy=ARRAY), 1)


def test_one_window_by_the_formula():
    # far from every edge the window holds 49 spots: Wang's eq. 13 in full
    window = (abs(ROW - 4) <= 3) & (abs(COLUMN - 5) <= 3)
    t, p = TRUTH[window, 0], PREDICTED[window, 0]
    c1, c2 = (0.01 * np.ptp(TRUTH[:, 0])) ** 2, (0.03 * np.ptp(TRUTH[:, 0])) ** 2
    cov = np.cov(t, p)
    expected = (2 * t.mean() * p.mean() + c1) * (2 * cov[0, 1] + c2)
    expected /= (t.mean() ** 2 + p.mean() ** 2 + c1) * (cov[0, 0] + cov[1, 1] + c2)
    assert _scikit_images(TRUTH[:, 0], PREDICTED[:, 0])[4, 5] == pytest.approx(expected, rel=1e-9)


def test_empty_places_hold_each_pictures_mean_and_are_not_averaged():
    under = RNG.random(len(ARRAY)) < 0.7
    under[[0, -1]] = True
    pictures = []
    for values in (TRUTH[:, 0], PREDICTED[:, 0]):
        picture = np.where(under, values, values[under].mean()).reshape(ROWS, COLUMNS)
        pictures.append(picture)
    whole = structural_similarity(*pictures, data_range=np.ptp(TRUTH[under, 0]), full=True)[1]
    found = ssim(TRUTH[under], PREDICTED[under], array_xy=ARRAY[under])
    assert found[0] == pytest.approx(whole.ravel()[under].mean(), rel=1e-12)


def test_the_shape_of_the_tissue_is_no_merit_of_a_constant_prediction():
    # a rim above the mean beside a constant above it would agree on the outline, were both pictures filled alike
    side = np.mgrid[:25, :25].reshape(2, -1).T.astype(float)
    away = ((side - 12) ** 2).sum(axis=1)
    under = away <= 110
    truth = (1 + away[under] / 110 + 0.3 * RNG.normal(size=under.sum()))[:, None]
    scores = [ssim(truth, np.full_like(truth, truth.mean() + bias), array_xy=side[under])[0] for bias in (0, 0.5, 1)]
    assert 0.1 > scores[0] > scores[1] > scores[2]


def test_a_hexagonal_array_is_pushed_together():
    hexagonal = np.column_stack([2 * COLUMN + ROW % 2, ROW]).astype(float)
    expected = ssim(TRUTH, PREDICTED, array_xy=ARRAY)
    np.testing.assert_array_equal(ssim(TRUTH, PREDICTED, array_xy=hexagonal), expected)
    np.testing.assert_array_equal(ssim(TRUTH, PREDICTED, array_xy=hexagonal + np.array([8, 2])), expected)


def test_without_a_picture_it_is_unknown():
    truth, predicted = TRUTH.copy(), PREDICTED
    truth[:, 1] = 0.1
    assert np.isnan(ssim(truth, predicted, array_xy=ARRAY)).tolist() == [False, True, False, False]
    small = (ROW < 6) & (COLUMN < 9)
    twice = ARRAY.copy()
    twice[1] = twice[0]
    holes = ARRAY.copy()
    holes[3] = np.nan
    for array_xy in (None, twice, holes, ARRAY * 1e5):
        assert np.isnan(ssim(truth, predicted, array_xy=array_xy)).all()
    assert np.isnan(ssim(truth[small], predicted[small], array_xy=ARRAY[small])).all()


def test_the_error_of_morans_i_is_a_difference_and_a_constant_has_no_pattern():
    predicted = PREDICTED.copy()
    predicted[:, 0] = 1 / 3
    truth = TRUTH.copy()
    truth[:, 1] = 0.1
    found = moran_error(truth, predicted, weights=WEIGHTS)
    of_truth = morans_i(truth, WEIGHTS)
    assert found[0] == pytest.approx(abs(of_truth[0]))
    assert np.isnan(found[1])
    np.testing.assert_allclose(found[2:], np.abs(morans_i(predicted, WEIGHTS) - of_truth)[2:])
    np.testing.assert_array_equal(moran_error(TRUTH, TRUTH, weights=WEIGHTS), 0)


def _patterned(n_patterned, n_genes=40):
    """Genes of which the first have a pattern."""
    values = RNG.normal(size=(len(ARRAY), n_genes))
    values[:, :n_patterned] += 5 * np.sin(ARRAY[:, :1] / 2)
    return values


def test_recovery_is_the_share_of_the_first_tenth():
    truth = _patterned(4)
    assert svg_recovery(truth, _patterned(4), weights=WEIGHTS) == 1
    assert svg_recovery(truth, np.roll(_patterned(4), 1, axis=1), weights=WEIGHTS) == 0.75
    assert svg_recovery(truth, np.roll(_patterned(4), 20, axis=1), weights=WEIGHTS) == 0
    assert svg_recovery(truth, truth, weights=WEIGHTS, n_genes=2) == 1


def test_recovery_never_finds_what_is_predicted_constant():
    truth, predicted = _patterned(4), _patterned(4)
    predicted[:, :2] = 0.1
    assert svg_recovery(truth, predicted, weights=WEIGHTS) == 0.5
    assert svg_recovery(truth, np.full_like(truth, 0.1), weights=WEIGHTS) == 0


def test_recovery_leaves_constant_truth_out():
    truth = _patterned(4)
    truth[:, :3] = 0.1
    assert svg_recovery(truth, _patterned(4), weights=WEIGHTS) > 0
    assert np.isnan(svg_recovery(np.full_like(truth, 0.1), truth, weights=WEIGHTS))
    assert np.isnan(svg_recovery(truth, truth, weights=neighbour_weights(ARRAY * 0)))


def test_the_error_of_gene_correlations_is_numpys():
    difference = (np.corrcoef(TRUTH.T) - np.corrcoef(PREDICTED.T))[~np.eye(4, dtype=bool)]
    assert gene_correlation_error(TRUTH, PREDICTED) == pytest.approx(np.sqrt((difference**2).mean()), rel=1e-9)


def test_the_error_of_gene_correlations_by_hand():
    signs = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    alike = signs[:, [0, 0]]
    assert gene_correlation_error(signs, alike) == pytest.approx(1)
    assert gene_correlation_error(alike, alike * [3, -2]) == pytest.approx(2)
    assert gene_correlation_error(alike, alike * [3, 0]) == pytest.approx(1)  # constant: correlates with none
    assert np.isnan(gene_correlation_error(alike * [1, 0], signs))


def test_blocks_of_genes_change_nothing(monkeypatch):
    truth, predicted = _patterned(4), _patterned(8)
    truth[:, 7], predicted[:, 9] = 0.3, 0.3
    whole = gene_correlation_error(truth, predicted)
    monkeypatch.setattr(structure, "_BLOCK", 7)
    assert gene_correlation_error(truth, predicted) == pytest.approx(whole, rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, (len(ARRAY), 2), elements=st.integers(-20, 20)), st.randoms(use_true_random=False))
def test_the_order_of_spots_does_not_matter_and_scores_stay_in_range(predicted, random):
    order = random.sample(range(len(ARRAY)), len(ARRAY))
    truth = TRUTH[:, :2]
    weights = neighbour_weights(ARRAY[order] * 100)
    for straight, shuffled in (
        (ssim(truth, predicted, array_xy=ARRAY), ssim(truth[order], predicted[order], array_xy=ARRAY[order])),
        (moran_error(truth, predicted, weights=WEIGHTS), moran_error(truth[order], predicted[order], weights=weights)),
        (gene_correlation_error(truth, predicted), gene_correlation_error(truth[order], predicted[order])),
    ):
        np.testing.assert_allclose(shuffled, straight, atol=1e-9)
        assert np.max(np.abs(straight)) <= 2
