"""Windows never leave a chromosome, places count by megabases, and order is seen."""

import numpy as np
import pytest
import torch

from mclstexp.nn.genome import GenomeEncoder, GenomeOrder, calls, position_code


def _order():
    chromosome = np.array([1, 0, 0, 1, -1, 0])
    return GenomeOrder.of(chromosome, np.array([5e6, 3e6, 1e6, 9e6, np.nan, 2e6]), width=2)


def test_windows_hold_neighbours_of_one_chromosome():
    order = _order()
    assert order.window.tolist() == [[2, 5], [1, -1], [0, 3], [4, -1]]
    assert order.chromosome.tolist() == [0, 0, 1, 2], "what has no position is by itself"
    assert order.centre_mb.tolist() == [1.5, 3, 7, 0]


def test_two_windows_five_megabases_apart_are_alike_wherever_they_lie():
    at = position_code(torch.tensor([10.0, 15.0, 40.0, 45.0], dtype=torch.float64), 64)
    assert at.shape == (4, 64)
    assert (at[0] @ at[1]).item() == pytest.approx((at[2] @ at[3]).item())
    assert (at[0] @ at[1]).item() != pytest.approx((at[0] @ at[2]).item())
    rate = np.exp(-4 * np.arange(32) / 31)
    np.testing.assert_allclose(at[0].numpy(), np.concatenate([np.sin(10 * rate), np.cos(10 * rate)]))


def test_calls_are_hats():
    assert calls(torch.tensor([[0.0, 1.5]])).tolist() == [[1, 0, 0, 0, 0.5, 0.5]]


def test_the_encoder_sees_which_value_is_where_and_nothing_of_its_padding():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = GenomeEncoder(_order(), dim=16, depth=1, out=5).eval()
        three = GenomeEncoder(_order(), channels=3, dim=16, depth=1, out=5).eval()
        values = torch.randn(4, 6)
    found = encoder(values)
    assert found.shape == (4, 5)
    moved = encoder(values[:, [2, 0, 1, 3, 4, 5]])
    assert not torch.allclose(moved, found)
    assert three(calls(values)).shape == (4, 5)
    torch.testing.assert_close(encoder(values[:2]), found[:2])
    # a padded place holds column 0 by number, and none of it
    windows = encoder.window[~encoder.there[..., 0]]
    assert (windows == 0).all()
    assert not encoder.there[1, 1]
