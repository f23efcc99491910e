"""Painted tiles beside measured ones: they carry their spots' counts, and never test."""

import numpy as np
import pytest

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.data.folds import Fold
from mclstexp.generation.augment import augment, shuffled
from small_generators import tiny
from small_methods import SPEC, small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


@pytest.fixture(scope="module")
def generator(sections):
    return tiny("random_tile").fit(sections[:2])


@pytest.fixture(scope="module")
def painted(sections, generator):
    return augment(sections[:2], generator, per_spot=2)


def test_a_painted_tile_carries_its_spots_counts(sections, painted):
    first, real = painted[0], sections[0]
    assert (first.id, first.patient, len(first)) == ("synthetic P1_S1", "P1", 2 * len(real))
    assert np.array_equal(first.counts.X[::2].toarray(), real.counts.X.toarray())
    assert first.tiles.spec == SPEC
    assert first.tiles.read(0).shape == (32, 32, 3)
    said = first.counts.uns[keys.SYNTHETIC]
    assert (said["synthetic"], said["patients"], said["asked_for"]) == (True, ["P1", "P2"], "P1_S1")
    control = shuffled(first)
    assert not np.array_equal(control.counts.X.toarray(), first.counts.X.toarray())
    assert control.counts.X.sum() == first.counts.X.sum()
    assert keys.SYNTHETIC in control.counts.uns


def test_painted_tiles_may_teach_and_never_test(sections, painted):
    Fold("sound", (*sections[:2], *painted), (sections[2],))
    with pytest.raises(InputError, match="found synthetic P1_S1, whose tiles were painted"):
        Fold("f", (sections[1],), (painted[0],))
    with pytest.raises(InputError, match="whose generator learnt from P2"):
        Fold("f", (sections[0], painted[0]), (sections[1],))
    with pytest.raises(InputError, match="whose generator learnt from P2_S1"):
        Fold("f", (sections[0], painted[0]), (sections[1],), by="section")


def test_less_than_one_picture_is_refused(sections, generator):
    with pytest.raises(InputError, match="per_spot of 1 or more expected, found 0"):
        augment(sections[:1], generator, per_spot=0)
