"""Folds: everybody examined once, nobody on both sides, whatever the order."""

from dataclasses import replace

import pytest

from mclstexp.core.errors import InputError
from mclstexp.data.folds import Fold, folds_by_patient, folds_by_section, split_validation, tuning_units
from small_methods import small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections(4, sections_per_patient=2)


def _names(folds):
    return [(fold.name, sorted(s.id for s in fold.train), sorted(s.id for s in fold.test)) for fold in folds]


def test_each_patient_is_held_out_once(sections):
    folds = folds_by_patient(sections)
    assert [fold.name for fold in folds] == ["P1", "P2", "P3", "P4"]
    for fold in folds:
        assert {s.patient for s in fold.test} == {fold.name}
        assert len(fold.train) == 6


def test_the_order_of_sections_does_not_matter(sections):
    for n_folds in (2, 3, None):
        turned = folds_by_patient(sections[::-1], n_folds=n_folds)
        assert _names(turned) == _names(folds_by_patient(sections, n_folds=n_folds))


def test_groups_of_patients_cover_everyone_once(sections):
    folds = folds_by_patient(sections, n_folds=2)
    held_out = [s.id for fold in folds for s in fold.test]
    assert sorted(held_out) == sorted(s.id for s in sections)


@pytest.mark.parametrize("n_folds", [1, 5])
def test_an_impossible_number_of_folds_is_refused(sections, n_folds):
    with pytest.raises(InputError, match=r"between 2 and the number of patients \(4\)"):
        folds_by_patient(sections, n_folds=n_folds)


def test_leaving_sections_out_is_stamped(sections):
    folds = folds_by_section(sections[:3])
    assert [(fold.name, fold.by, len(fold.train)) for fold in folds] == [(s.id, "section", 2) for s in sections[:3]]
    with pytest.raises(InputError, match="at least two sections"):
        folds_by_section(sections[:1])


def test_unknown_patients_are_no_patients(sections):
    unknown = [replace(section, patient=None) for section in sections[:3]]
    with pytest.raises(InputError, match=r"3 of 4 sections \(P1_S1, P1_S2, P2_S1\): name them with patients="):
        folds_by_patient([*unknown, sections[5]])
    with pytest.raises(InputError, match="found no patient of 1 of 2 sections"):
        Fold("f", train=(unknown[0],), test=(sections[5],))
    assert [fold.by for fold in folds_by_section(unknown)] == ["section"] * 3


def test_for_tuning_alone_an_unknown_section_stands_on_its_own(sections):
    unknown = [replace(section, patient=None) for section in sections]
    assert tuning_units([unknown[0], sections[1], sections[2]]) == ["P1_S1", "P1", "P2"]
    train, aside = split_validation(unknown, share=0.25)
    assert (len(train), len(aside)) == (6, 2)


def test_an_empty_name_is_unknown(sections):
    assert replace(sections[0], patient="  ").patient is None
    assert replace(sections[0], patient=" P 1 ").patient == "P 1"


def test_a_fold_needs_both_sides(sections):
    with pytest.raises(InputError, match="0 to learn from and 1 to test on"):
        Fold("f", train=(), test=sections[:1])


def test_validation_sets_whole_patients_aside(sections):
    train, aside = split_validation(sections, share=0.25)
    assert len({s.patient for s in aside}) == 1
    assert not {s.patient for s in train} & {s.patient for s in aside}
    assert sorted(s.id for s in (*train, *aside)) == sorted(s.id for s in sections)
    assert [s.id for s in train] == [s.id for s in sections if s in train]


def test_with_few_patients_validation_sets_sections_aside(sections):
    serial = [replace(section, patient="P") for section in sections]
    train, aside = split_validation(serial, seed=1)
    assert len(aside) == 2
    assert len(train) == 6
    assert {s.id for s in split_validation(serial, seed=1)[1]} == {s.id for s in aside}
    with pytest.raises(InputError, match="needs at least two"):
        split_validation(sections[:1])
    with pytest.raises(InputError, match="between 0 and 1"):
        split_validation(sections, share=1)
