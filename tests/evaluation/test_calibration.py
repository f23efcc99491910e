"""Intervals hold what they promise on a new individual, follow the spread, and never see their own individual."""

from dataclasses import dataclass

import numpy as np
import pytest

from mclstexp.analysis.pairs import Pair
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.data.folds import folds_by_patient
from mclstexp.evaluation.calibration import interval_bounds, interval_coverage, interval_widths, new_widths, teachers
from mclstexp.evaluation.conformal import Errors, Pool, level_to_ask
from mclstexp.evaluation.exam import Rules, prepare
from mclstexp.io.read import read_sections
from mclstexp.methods import create
from slowly import slowly
from small_methods import ENCODER


@dataclass
class Made:
    id: str
    genes: tuple
    truth: np.ndarray
    guess: np.ndarray
    patient: str | None = "P"


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


def _individuals(rng, n_individuals, *, apart, n_genes=8, n_spots=60):
    """Two sections of each: errors of an individual share a shift and a scale, those of a section a smaller shift."""
    made = []
    for k in range(n_individuals):
        scale = np.exp(apart / 2 * rng.normal())
        shift = apart * rng.normal(size=n_genes)
        for n in range(2):
            guess = rng.random((n_spots, n_genes))
            off = shift + 0.3 * rng.normal(size=n_genes) + scale * rng.normal(size=guess.shape)
            made.append(Made(f"{k}{n}", tuple(f"G{i}" for i in range(n_genes)), guess + off, guess, f"P{k}"))
    return made


@pytest.mark.parametrize("apart", [0.0, 0.8])
@pytest.mark.parametrize("n_individuals", [2, slowly(3), slowly(6)])
def test_a_new_individual_is_covered_as_promised(n_individuals, apart):
    rng, held = np.random.default_rng(n_individuals), []
    for _ in range(60 // n_individuals):
        held.append(interval_coverage(_individuals(rng, n_individuals, apart=apart))["coverage"].mean())
    assert np.mean(held) == pytest.approx(0.8, abs=0.03)


def test_other_sections_of_the_individual_would_promise_too_much():
    rng, held = np.random.default_rng(0), []
    for _ in range(40):
        one, new = _individuals(rng, 1, apart=0.8), _individuals(rng, 1, apart=0.8)[0]
        for i in range(len(new.genes)):
            errors = [Errors(pair.guess[:, i], np.abs(pair.truth - pair.guess)[:, i]) for pair in one]
            width = Pool.of(errors).widths(new.guess[:, i], level=0.8)
            held.append((np.abs(new.truth - new.guess)[:, i] <= width).mean())
    assert np.mean(held) < 0.77


def test_the_width_of_an_individual_is_never_learnt_from_its_own_sections():
    sections = _individuals(np.random.default_rng(0), 3, apart=0.5)
    before = interval_widths(sections)
    sections[0].truth = sections[0].truth + 100
    after = interval_widths(sections)
    np.testing.assert_array_equal(after["01"], before["01"])
    np.testing.assert_array_equal(after["00"], before["00"])
    assert (after["10"] != before["10"]).any(), "but others learn from it"
    assert {found.scope for found in teachers(sections).values()} == {"a new individual"}
    assert teachers(sections)["01"].units == {"P1": (2, 3), "P2": (4, 5)}


def test_for_whom_intervals_hold_is_said():
    sections = _individuals(np.random.default_rng(0), 2, apart=0.0)
    assert interval_coverage(sections).attrs["scope"] == dict.fromkeys(("00", "01", "10", "11"), "a new individual")
    assert teachers(sections[:2])["00"] == type(teachers(sections[:2])["00"])("this individual", {"01": (1,)})
    sections[3].patient = None
    found = teachers(sections)
    assert found["00"].scope == "a new individual"
    assert found["00"].units == {"P1": (2,)}, "an unknown individual may be the same"
    assert found["11"].scope == "these sections"
    assert list(found["11"].units) == ["00", "01", "10"]


def test_individuals_weigh_alike_however_many_their_spots():
    many, few = Errors(np.zeros(900), np.full(900, 1.0)), Errors(np.zeros(10), np.full(10, 5.0))
    assert Pool.of([many, few]).widths(np.zeros(1), level=0.6) == 5
    assert Pool.of([many, few]).widths(np.zeros(1), level=0.4) == 1


def test_the_level_of_an_error_is_the_least_that_holds_it():
    rng = np.random.default_rng(0)
    pool = Pool.of([Errors(rng.random(n), rng.random(n).round(1)) for n in (30, 70, 200)])
    asked = Errors(rng.random(50), rng.random(50).round(1) * 1.2)
    levels = pool.levels(asked)
    for level in (0.5, 0.8, 0.95):
        held = asked.off <= pool.widths(asked.guess, level=level)
        np.testing.assert_array_equal(held[levels < 1], (levels < level)[levels < 1])
    assert (asked.off[levels == 1] > 1).all()


def test_the_level_to_ask_is_what_the_others_needed():
    assert level_to_ask([np.linspace(0, 1, 50)], level=0.8) == 0.8, "one shows nothing of how they differ"
    needed = level_to_ask([np.full(10, 0.9), np.full(99, 0.9)], level=0.8)
    assert needed == pytest.approx(0.85), "two miss half of what one missed"
    assert level_to_ask([np.ones(5)] * 3, level=0.8) == pytest.approx(0.8 + 0.2 * 2 / 3)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("method", ["mean", "coordinates", "ridge"])
def test_across_two_mice_intervals_hold_what_they_promise(method, data_dir):
    folder = data_dir / "mob_2k"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    sections = read_sections(folder, mpp=3.5, spec=TileSpec(32, 3.5))
    options = {"encoder": ENCODER} if method == "ridge" else {}
    pairs = []
    for fold in folds_by_patient(sections):
        exam = prepare(fold, Rules())
        model = create(method, **options).fit(exam.fold.train, space=exam.space)
        pairs += [Pair(section, model.predict(section.tiles)) for section in exam.fold.test]
    assert interval_coverage(pairs)["coverage"].mean() == pytest.approx(0.8, abs=0.03)


@dataclass
class Spread(Made):
    bounds: tuple[np.ndarray, np.ndarray] | None = None


def _with_bounds(rng, n_individuals, *, apart, n_genes=8, n_spots=60):
    """Errors as in `_individuals`, wide at some spots and narrow at others; bounds know where, and are too narrow."""
    made = []
    for pair in _individuals(rng, n_individuals, apart=apart, n_genes=n_genes, n_spots=n_spots):
        spread = rng.choice([0.3, 2.0], size=pair.guess.shape)
        truth = pair.guess + spread * (pair.truth - pair.guess)
        bounds = (pair.guess - 0.6 * spread, pair.guess + 0.6 * spread)
        made.append(Spread(pair.id, pair.genes, truth, pair.guess, pair.patient, bounds))
    return made


@pytest.mark.parametrize(("n_individuals", "apart"), [slowly(2, 0.8), (3, 0.0), slowly(5, 0.8)])
def test_intervals_that_vary_hold_what_they_promise_too(n_individuals, apart):
    rng, held, narrower = np.random.default_rng(n_individuals), [], []
    for _ in range(40 // n_individuals):
        made = _with_bounds(rng, n_individuals, apart=apart)
        varying, constant = (interval_coverage(made, varying=v) for v in (True, False))
        held.append(varying["coverage"].mean())
        narrower.append(varying["width"].mean() / constant["width"].mean())
    assert np.mean(held) == pytest.approx(0.8, abs=0.03)
    assert np.mean(narrower) < 0.95


def test_ends_never_cross_and_without_bounds_the_width_is_constant():
    made = _with_bounds(np.random.default_rng(0), 3, apart=0.0)
    for pair in made:
        pair.bounds = (pair.guess - 50, pair.guess + 50)
    for low, high in interval_bounds(made).values():
        assert (low <= high).all()
    plain = _individuals(np.random.default_rng(0), 3, apart=0.4)
    widths = interval_widths(plain)
    for pair in plain:
        low, high = interval_bounds(plain)[pair.id]
        np.testing.assert_allclose(high - pair.guess, widths[pair.id], atol=1e-6)
        np.testing.assert_allclose(pair.guess - low, widths[pair.id], atol=1e-6)


def test_widths_for_other_tissue_are_learnt_on_all_and_hold_there():
    rng, held = np.random.default_rng(5), []
    for _ in range(20):
        *taught, asked = _with_bounds(rng, 4, apart=0.8)
        taught = [pair for pair in taught if pair.patient != asked.patient]
        widths, scope = new_widths(taught)
        width = widths[list(asked.genes)].to_numpy()
        low, high = asked.bounds
        held.append(((low - width <= asked.truth) & (asked.truth <= high + width)).mean())
        assert scope == "a new individual"
    assert np.mean(held) == pytest.approx(0.8, abs=0.04)
    assert new_widths(_sections(3))[1] == "this individual"
