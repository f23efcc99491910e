"""What a model of patients sees, what became of them, and what every such model checks."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from mclstexp.core.baseline import Baseline
from mclstexp.core.cohort import ArrayBag, Outcomes, Patients
from mclstexp.core.errors import InputError
from mclstexp.core.method import State
from mclstexp.core.outcome_model import OutcomeModel

IDS = ("anna", "bert", "cleo", "dora")


def patients(**parts):
    scores = pd.DataFrame({"up": [1.0, 2, 3, 4], "down": [4.0, 3, 2, 0]}, index=list(IDS))
    bags = tuple(ArrayBag(np.full((n, 3), n)) for n in (1, 2, 3, 4))
    return Patients(**{"ids": IDS, "sites": ("x", "x", "y", "y"), "pathways": scores, "bags": bags} | parts)


def survival():
    return Outcomes.survival(IDS, time=[2, 4, 4, 6], event=[1, 1, 1, 0])


@dataclass
class First(OutcomeModel):
    """The first pathway score times a factor."""

    name = "first"
    factor: float = 1.0
    """Multiplied."""

    @property
    def takes(self):
        return frozenset({"pathways"})

    def _fit(self, patients, outcomes):
        assert patients.bags is None, "what it does not take is not shown"
        self.mean_ = patients.pathways.to_numpy()[:, 0].mean()

    def _predict(self, patients):
        return self.factor * (patients.pathways.to_numpy()[:, 0] - self.mean_) + 3

    def _get_state(self):
        return State({"mean": np.array(self.mean_)}, {})

    def _set_state(self, state):
        self.mean_ = float(state.arrays["mean"])


def test_a_subset_takes_every_part_along_in_the_order_asked():
    some = patients().subset(["dora", "bert"])
    assert (some.ids, some.sites) == (("dora", "bert"), ("y", "x"))
    assert list(some.pathways["up"]) == [4, 2]
    assert [bag.n_tiles for bag in some.bags] == [4, 2]
    assert list(survival().subset(["dora", "anna"]).time) == [6, 2]
    with pytest.raises(InputError, match="a patient among the 4 known ones expected, found 'emil'"):
        patients().subset(["emil"])


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"ids": ("anna", "anna", "cleo", "dora")}, "each name once expected, found 'anna' twice"),
        ({"sites": ("x",)}, "sites of 4 patients expected, found 1"),
        ({"pathways": pd.DataFrame({"up": [1.0] * 4}, index=list(IDS)[::-1])}, "in their order, expected"),
        ({"genes": pd.DataFrame({"A": [1, np.inf, 3, 4]}, index=list(IDS))}, "found an infinite one"),
        ({"bags": tuple(ArrayBag(np.ones((1, n))) for n in (2, 2, 3, 2))}, r"found features of width \[2, 3\]"),
    ],
)
def test_parts_of_other_patients_are_refused(parts, reason):
    with pytest.raises(InputError, match=reason):
        patients(**parts)


def test_outcomes_that_cannot_be_are_refused_by_name():
    with pytest.raises(InputError, match="a time above 0 expected for each patient, found 0 for 'bert'"):
        Outcomes.survival(IDS, time=[1, 0, 2, 3], event=[1, 1, 1, 0])
    with pytest.raises(InputError, match="an outcome of 0 or 1 expected for each patient, found 2 for 'cleo'"):
        Outcomes.binary(IDS, [0, 1, 2, 1])
    assert (survival().n_events, Outcomes.binary(IDS, [0, 0, 0, 1]).n_events) == (3, 1)


def test_tiles_are_taken_by_number_however_they_are_kept():
    class Streamed(ArrayBag.__mro__[1]):
        def __init__(self, features):
            self.features, (self.n_tiles, self.dim) = features, features.shape

        def chunks(self):
            yield from np.array_split(self.features, 3)

    features = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    for bag in (ArrayBag(features), Streamed(features)):
        np.testing.assert_array_equal(bag.take([7, 0, 7]), features[[7, 0, 7]])
        np.testing.assert_array_equal(np.concatenate(list(bag.chunks())), features)


def test_breslows_baseline_by_hand():
    base = Baseline.fit(np.array([2.0, 4, 4, 6]), np.array([True, True, True, False]), np.array([0.5, 1, -0.5, 0]))
    np.testing.assert_allclose(
        base.at(np.array([1.9, 2, 3.9, 4, 9])), [0, 0.167405, 0.167405, 0.629853, 0.629853], 1e-5
    )
    left = base.survival(np.array([0.5]), np.array([2.0]))
    assert left.item() == pytest.approx(np.exp(-0.167405 * np.exp(0.5)), abs=1e-5)


def test_a_model_predicts_a_row_as_in_any_batch_and_its_columns_go_by_name():
    model = First().fit(patients(), survival())
    said = model.predict(patients(), at_months=[2, 5])
    assert said.risk.mean() == pytest.approx(0)
    assert said.group == ("low", "low", "high", "high")
    assert (np.diff(said.survival, axis=1) <= 0).all()
    turned = patients(pathways=patients().pathways[["down", "up"]])
    np.testing.assert_array_equal(model.predict(turned.subset(["cleo"])).risk, said.risk[[2]])
    with pytest.raises(InputError, match=r"the 2 pathways .* expected, 1 of them not found \(down\)"):
        model.predict(patients(pathways=patients().pathways[["up"]]))


def test_a_state_taken_back_predicts_the_same():
    model = First(factor=2.0).fit(patients(), survival())
    other = First(factor=2.0)
    other.set_state(model.get_state())
    other.provenance_ = model.provenance_
    for part in ("risk", "survival", "high"):
        found = [getattr(m.predict(patients(), at_months=[3]), part) for m in (model, other)]
        np.testing.assert_array_equal(*found)


def test_other_kinds_have_values_and_no_survival():
    model = First().fit(patients(), Outcomes.continuous(IDS, [1, 2, 3, 5]))
    said = model.predict(patients(), at_months=[2])
    np.testing.assert_array_equal(said.value, said.risk)
    assert (said.survival, said.at_months) == (None, ())
    said = First().fit(patients(), Outcomes.binary(IDS, [0, 0, 1, 1])).predict(patients())
    np.testing.assert_allclose(said.value, 1 / (1 + np.exp(-said.risk)))


def test_what_is_not_there_is_refused_early():
    without = patients(pathways=None)
    with pytest.raises(InputError, match="pathways of each patient expected for first, found none of all patients"):
        First().fit(without, survival())
    scores = patients().pathways.copy()
    scores.loc["cleo"] = np.nan
    with pytest.raises(InputError, match=r"found none of 1 \(cleo\): give a table of scores"):
        First().fit(patients(pathways=scores), survival())
    with pytest.raises(InputError, match="an event among them expected for first, found 4 patients with 0 events"):
        First().fit(patients(), Outcomes.survival(IDS, time=[1, 2, 3, 4], event=[0] * 4))
    with pytest.raises(InputError, match="first must be fitted before it predicts"):
        First().predict(patients())
