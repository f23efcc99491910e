"""Intervals hold what they promise where sections are alike, follow the spread, and never see their own section."""

from dataclasses import dataclass

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.evaluation.calibration import interval_coverage, interval_widths


@dataclass
class Made:
    id: str
    genes: tuple
    truth: np.ndarray
    guess: np.ndarray


def _sections(n_sections=4, n_spots=200, n_genes=20, seed=0, spread=lambda guess: 0.2 + guess):
    rng = np.random.default_rng(seed)
    made = []
    for n in range(n_sections):
        guess = rng.random((n_spots, n_genes)).astype(np.float32)
        truth = (guess + spread(guess) * rng.normal(size=guess.shape)).astype(np.float32)
        made.append(Made(f"S{n}", tuple(f"G{i}" for i in range(n_genes)), truth, guess))
    return made


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_alike_sections_are_covered_as_promised(level):
    table = interval_coverage(_sections(), level=level)
    assert table["coverage"].mean() == pytest.approx(level, abs=0.015)
    assert table.filter(like="coverage_S").stack().mean() == pytest.approx(level, abs=0.015)


def test_wider_where_predictions_are_farther_off():
    sections = _sections()
    width = interval_widths(sections)["S0"]
    low, high = sections[0].guess < 0.2, sections[0].guess > 0.8
    # 80 % of a normal spread lie within 1.28 of it
    assert width[low].mean() == pytest.approx(1.28 * 0.32, rel=0.1)
    assert width[high].mean() == pytest.approx(1.28 * 1.08, rel=0.1)


def test_a_section_never_calibrates_itself():
    sections = _sections()
    before = interval_widths(sections)["S1"]
    sections[1].truth = sections[1].truth + 100
    np.testing.assert_array_equal(interval_widths(sections)["S1"], before)
    table = interval_coverage(sections)
    assert (table["coverage_S1"] == 0).all(), "a section unlike the others shows"


def test_by_hand():
    known = Made("A", ("G",), np.array([[1.0], [2.0], [3.0], [4.0]]), np.zeros((4, 1)))
    asked = Made("B", ("G",), np.zeros((2, 1)), np.array([[0.0], [9.0]]))
    # the 3rd of 4: ceil(5 · 0.6); few spots make one bin
    np.testing.assert_array_equal(interval_widths([known, asked], level=0.6)["B"], [[3], [3]])
    np.testing.assert_array_equal(interval_widths([known, asked], level=0.99)["B"], [[4], [4]])


def test_constant_predictions_and_genes_of_one_section():
    sections = _sections(n_sections=2, n_genes=2)
    for made in sections:
        made.guess[:, 0] = 0.5
    sections[1].genes = ("G0", "OTHER")
    width = interval_widths(sections)["S0"]
    assert len(np.unique(width[:, 0])) == 1
    assert np.isnan(width[:, 1]).all()
    table = interval_coverage(sections)
    assert np.isnan(table.loc[["G1", "OTHER"], "coverage"]).all()
    assert table.loc["G0", "coverage"] == pytest.approx(0.8, abs=0.1)
    assert np.isnan(interval_widths(sections[:1])["S0"]).all(), "one section alone cannot be calibrated"


def test_levels_are_shares():
    with pytest.raises(InputError, match="found 80"):
        interval_widths(_sections(2), level=80)
