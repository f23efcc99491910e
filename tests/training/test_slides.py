"""Whole sections as training steps: what they hold, and that every one is used in every epoch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.nn.position import array_positions, table_rows
from mclstexp.nn.slide_inputs import SlideInputs
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.loop import learning_rate as rate_at
from mclstexp.training.slides import SlideTable, SlideTruth, fit_slides
from small_methods import small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def _table(sections):
    space = ExpressionSpace.fit(sections)
    inputs = [SlideInputs.build(s.tiles, torch.full((len(s), 2), float(n))) for n, s in enumerate(sections)]
    return SlideTable.build(sections, inputs, space=space)


def test_the_truth_of_a_section(sections):
    space = ExpressionSpace.fit(sections)
    truth = SlideTruth.of(sections[0], space)
    np.testing.assert_array_equal(truth.expression, space(sections[0].counts))
    totals = space.counts(sections[0].counts).sum(axis=1)
    np.testing.assert_allclose(truth.size_factor, totals / np.median(totals), rtol=1e-6)
    np.testing.assert_allclose(truth.counts.sum(dim=1), totals)


def test_neighbours_are_those_within_reach_and_never_the_tile_itself(sections):
    inputs = SlideInputs.build(sections[0].tiles, torch.zeros(len(sections[0]), 2), n_neighbours=4, reach=1.0)
    for row in range(len(inputs)):
        away = (inputs.position - inputs.position[row]).abs().sum(dim=1)
        near = set(inputs.neighbours[row][inputs.present[row]].tolist())
        assert near == set(torch.nonzero(away == 1).ravel().tolist())


def test_every_section_is_a_step_of_every_epoch(sections):
    table, seen = _table(sections), []
    model = nn.Linear(2, 1)

    def loss(inputs, truth):
        seen.append(int(inputs.image[0, 0]))
        assert len(inputs) == len(truth.expression)
        return model(inputs.image).square().mean()

    fit_slides(model, table, loss, options=TrainingOptions(epochs=2, batch_size=99))
    assert sorted(seen[:3]) == sorted(seen[3:]) == [0, 1, 2]


def test_moments_and_means_are_those_of_all_tiles(sections):
    table = _table(sections)
    features = np.concatenate([one.image for one in table.inputs])
    mean, spread = table.feature_moments()
    np.testing.assert_allclose(mean, features.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(spread, features.std(axis=0), rtol=1e-6)
    expression = np.concatenate([one.expression for one in table.truth])
    np.testing.assert_allclose(table.expression_mean(), expression.mean(axis=0), rtol=1e-5)
    spread = expression.std(axis=0)
    np.testing.assert_allclose(table.expression_spread(), np.where(spread > 0, spread, 1), rtol=1e-4)


def test_positions_beyond_the_table_are_refused(sections):
    position = array_positions(sections[0].tiles)
    assert table_rows([position], n_positions=None) == 64
    assert table_rows([position + 100], n_positions=None) == int(position.max()) + 101
    with pytest.raises(InputError, match=r"below n_positions \(3\) expected by the position tables, found \d+: set"):
        table_rows([position], n_positions=3)
    with pytest.raises(InputError, match="from 0 on expected by the position tables, found -1: shift them"):
        table_rows([position, -torch.ones(1, 2).long()], n_positions=None)


def test_tiles_without_an_array_are_refused(sections):
    tiles = replace(sections[0].tiles, array_xy=None)
    with pytest.raises(InputError, match=r"array coordinates .* expected for the tiles of .*, found none: add them"):
        SlideInputs.build(tiles, torch.zeros(len(tiles), 2))


def test_the_step_schedule_of_hist2st():
    options = TrainingOptions(epochs=120, learning_rate=1.0, schedule="step")
    rates = [rate_at(options, step, 480) for step in (0, 199, 200, 399, 400, 479)]
    np.testing.assert_allclose(rates, [1, 1, 0.9, 0.9, 0.81, 0.81])
