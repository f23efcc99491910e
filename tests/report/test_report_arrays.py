"""Values in eight bits: how far off, what is missing, and back again."""

import numpy as np

from mclstexp.report.page_arrays import MISSING, STEPS, pack, quantise, scales
from opened_page import unpack


def test_a_value_is_off_by_half_a_step_at_most():
    rng = np.random.default_rng(0)
    values = rng.gamma(1.0, 2.0, (200, 7)).astype(np.float32) * 10.0 ** np.arange(-3, 4, dtype=np.float32)
    other = values[:50] * np.float32(1.5)
    scale = scales(values, other)
    assert (scale[:, 0] <= values.min(axis=0)).all()
    assert np.allclose(scale[:, 1], np.maximum(values.max(axis=0), other.max(axis=0)))
    steps = quantise(values, scale)
    assert steps.shape == (7, 200)
    assert steps.max() <= STEPS
    low, high = scale[:, :1], scale[:, 1:]
    back = low + steps / STEPS * (high - low)
    assert (np.abs(back - values.T) <= (high - low) / (2 * STEPS) * (1 + 1e-5)).all()


def test_what_is_missing_or_constant_is_told_apart():
    values = np.array([[np.nan, 3.0, np.nan], [1.0, 3.0, np.nan]], np.float32)
    scale = scales(values)
    assert scale.tolist() == [[1.0, 1.0], [3.0, 3.0], [0.0, 0.0]]
    assert quantise(values, scale).tolist() == [[MISSING, 0], [0, 0], [MISSING, MISSING]]


def test_arrays_come_back_as_they_were():
    xy = np.array([[1.5, -2.25], [1e4, 0.1]], np.float32)
    assert np.array_equal(unpack(pack(xy), "<f4").reshape(-1, 2), xy)
    steps = np.arange(256, dtype=np.uint8).reshape(2, 128)[:, ::2]
    assert np.array_equal(unpack(pack(steps), np.uint8).reshape(steps.shape), steps)
