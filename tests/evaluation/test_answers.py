"""Truth and prediction of one section side by side."""

from functools import cache

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.evaluation.answers import Answers
from mclstexp.evaluation.metrics import GENE_METRICS
from mclstexp.evaluation.structure import SECTION_METRICS
from small_methods import small_sections


@cache
def _collect(n_genes=12, n_spots_side=12):
    section = small_sections(1, n_spots_side=n_spots_side)[0]
    space = ExpressionSpace(section.genes[:n_genes])
    truth = space(section.counts)
    predicted = truth + np.random.default_rng(0).normal(size=truth.shape).astype(np.float32)
    residual_space = space.on_residuals([section])
    given = {"space": space, "residual_space": residual_space, "train_mean": np.zeros(n_genes, np.float32)}
    return section, space, Answers.collect(section, predicted, **given)


def test_depth_is_over_all_measured_genes_and_counts_are_the_panels():
    section, space, answers = _collect()
    matrix = section.counts.X.toarray()
    np.testing.assert_array_equal(answers.depth, matrix.sum(axis=1))
    np.testing.assert_array_equal(answers.counts, matrix[:, : len(space.genes)])
    np.testing.assert_array_equal(answers.truth, space(section.counts))
    np.testing.assert_array_equal(answers.array_xy, section.tiles.array_xy)


def test_neighbours_are_found_once():
    answers = _collect()[2]
    assert answers.weights is answers.weights


def test_every_metric_answers_for_every_gene_of_a_section():
    answers = _collect()[2]
    for name, metric in GENE_METRICS.items():
        found = metric(answers)
        assert found.shape == (12,), name
        assert np.isfinite(found).any(), name
    for name, metric in SECTION_METRICS.items():
        assert np.isfinite(metric(answers)), name


def test_a_prediction_of_another_shape_is_refused():
    section, space, answers = _collect()
    with pytest.raises(InputError, match="predict this section's tiles"):
        Answers.collect(
            section,
            answers.predicted[:, :-1],
            space=space,
            residual_space=space.on_residuals([section]),
            train_mean=answers.train_mean,
        )
