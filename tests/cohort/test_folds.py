"""Folds of patients: sites and events, published ones, and those for choices."""

import numpy as np
import pytest

from made_cohort import made_table, written
from mclstexp.cohort.config import CohortConfig
from mclstexp.cohort.folds import inner_folds, make_folds
from mclstexp.cohort.table import read_cohort
from mclstexp.core.cohort import Outcomes, Patients
from mclstexp.core.errors import InputError


@pytest.fixture
def read(tmp_path):
    def read(table, **more):
        return read_cohort(CohortConfig(path=str(written(table, tmp_path)), outcome="os:os_days,os_event", **more))

    return read


def test_sites_are_held_out_by_default_and_events_are_dealt_evenly(read):
    cohort = read(made_table(200))
    folds = make_folds(cohort)
    assert [fold.by for fold in folds] == ["site"] * 5
    site = dict(zip(cohort.patients.ids, cohort.patients.sites, strict=True))
    for fold in folds:
        assert not {site[name] for name in fold.train} & {site[name] for name in fold.test}
        assert set(fold.train) | set(fold.test) == set(cohort.patients.ids)
    n_events = [cohort.outcomes.subset(fold.test).n_events for fold in folds]
    assert max(n_events) - min(n_events) <= 12
    assert sorted(name for fold in folds for name in fold.test) == sorted(cohort.patients.ids)


def test_few_sites_make_folds_by_patient(read):
    folds = make_folds(read(made_table(200, n_sites=4)))
    assert {fold.by for fold in folds} == {"patient"}


def test_the_order_of_rows_does_not_matter(read):
    table = made_table(200)
    one, other = (make_folds(read(some), repeats=2, seed=3) for some in (table, table[::-1]))
    assert [set(fold.test) for fold in one] == [set(fold.test) for fold in other]


def test_repeats_divide_anew(read):
    folds = make_folds(read(made_table(200)), repeats=3)
    assert [fold.name for fold in folds[:6]] == [*(f"repeat 1, fold {k}" for k in range(1, 6)), "repeat 2, fold 1"]
    ways = [frozenset(frozenset(fold.test) for fold in folds if fold.repeat == k) for k in (1, 2, 3)]
    assert len(set(ways)) == 3


def test_given_folds_are_taken_as_they_are(read):
    table = made_table(60).assign(split=np.arange(60) % 3)
    folds = make_folds(read(table, fold="split"))
    assert [(fold.name, fold.by, len(fold.test)) for fold in folds] == [(f"fold {k}", "given", 20) for k in range(3)]
    assert folds[1].test[:2] == ("P001", "P004")


def test_what_cannot_be_divided_is_refused(read):
    table = made_table(60)
    with pytest.raises(InputError, match=r"8 events or more in each test fold expected, found .* ask for fewer folds"):
        make_folds(read(table), n_folds=10)
    with pytest.raises(InputError, match="a column of folds expected, found none named"):
        make_folds(read(table), by="given")
    with pytest.raises(InputError, match="patients of two sites or more expected to hold sites out"):
        make_folds(read(table.drop(columns="site")), by="site")
    with pytest.raises(InputError, match="two folds or more expected, found one"):
        make_folds(read(table.assign(fold=1), fold="fold"))
    with pytest.raises(InputError, match="2 folds and 1 repeat or more expected"):
        make_folds(read(table), n_folds=1)


@pytest.mark.parametrize("sites", [None, tuple("ABCDEF" * 10), ("A",) * 60])
def test_inner_folds_have_events_on_both_sides(sites):
    ids = tuple(f"P{k}" for k in range(60))
    event = np.arange(60) % 4 == 0
    outcomes = Outcomes.survival(ids, time=np.arange(60) + 1.0, event=event)
    folds = inner_folds(Patients(ids, sites), outcomes)
    assert len(folds) == 3
    place = dict(zip(ids, sites or ids, strict=True))
    for learn, choose in folds:
        assert set(learn) | set(choose) == set(ids)
        assert outcomes.subset(choose).n_events
        assert outcomes.subset(learn).n_events
        if sites is not None and len(set(sites)) > 1:
            assert not {place[name] for name in learn} & {place[name] for name in choose}


def test_folds_of_answers_hold_the_rarer_one_evenly(read, tmp_path):
    table = made_table(100).assign(responded=(np.arange(100) % 5 == 0).astype(int))
    path = written(table, tmp_path, "answers.csv")
    folds = make_folds(read_cohort(CohortConfig(path=str(path), outcome="responded")), by="patient", n_folds=2)
    response = dict(zip(table["patient"], table["responded"], strict=True))
    assert [sum(response[name] for name in fold.test) for fold in folds] == [10, 10]
