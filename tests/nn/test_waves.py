"""Positions as waves."""

import numpy as np
import pytest
import torch

from mclstexp.nn.position import sincos_2d


def test_each_axis_has_its_half_from_the_fastest_wave_on():
    found = sincos_2d(torch.tensor([[2.0, -3.0]]), 8)[0].numpy()
    rate = np.array([1.0, 0.01])
    expected = np.concatenate([np.sin(2 * rate), np.cos(2 * rate), np.sin(-3 * rate), np.cos(-3 * rate)])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_any_leading_shape_and_no_other_length():
    assert sincos_2d(torch.zeros(2, 3, 2), 4).shape == (2, 3, 4)
    with pytest.raises(ValueError, match=r"multiple of 4 expected .* found 6"):
        sincos_2d(torch.zeros(1, 2), 6)
