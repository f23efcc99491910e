"""What a saved model holds is checked before anything is computed with it."""

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.core.predictor import State
from mclstexp.core.stored import (
    stored_arrays,
    stored_encoder,
    stored_number,
    stored_part,
    stored_patients,
    stored_texts,
)
from mclstexp.core.tiles import TileSpec

LAYOUT = {"coef": "features genes", "intercept": "genes"}


def _state(arrays=None, **meta):
    return State(arrays=arrays or {}, meta=meta)


def test_arrays_whose_axes_agree_come_back():
    coef, intercept = np.ones((3, 2)), np.ones(2, np.float32)
    found = stored_arrays(_state({"coef": coef, "intercept": intercept, "other": coef}), LAYOUT, genes=2)
    assert [array is given for array, given in zip(found, (coef, intercept), strict=True)] == [True, True]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"coef": np.ones((3, 2))}, r"weights 'intercept' \(genes\) of a saved model expected, found none"),
        ({"coef": np.ones((3, 3)), "intercept": np.ones(3)}, r"'coef' .*some features, 2 genes.* shape \(3, 3\)"),
        ({"coef": np.ones(2), "intercept": np.ones(2)}, r"'coef' .* found float64 of shape \(2,\)"),
        ({"coef": np.ones((0, 2)), "intercept": np.ones(2)}, r"found float64 of shape \(0, 2\)"),
        ({"coef": np.ones((3, 2), int), "intercept": np.ones(2)}, "found int64 of shape"),
    ],
)
def test_other_arrays_are_refused(arrays, said):
    with pytest.raises(InputError, match=said):
        stored_arrays(_state(arrays), LAYOUT, genes=2)


@pytest.mark.parametrize("value", [None, "3", 3.0, True, -1, 10, [3], {}])
def test_numbers_are_whole_and_in_range(value):
    assert stored_number(_state(k=3), "k", low=1, high=9) == 3
    with pytest.raises(InputError, match="k, a whole number from 0 to 9, expected, found"):
        stored_number(_state(k=value), "k", high=9)


@pytest.mark.parametrize("value", [None, "a", [], ["a", 1], {"a": 1}])
def test_texts_are_texts(value):
    assert stored_texts(_state(names=["a", "b"]), "names") == ("a", "b")
    with pytest.raises(InputError, match="names, a list of texts"):
        stored_texts(_state(names=["a", "b"]), "names", among=("a", "c"))
    with pytest.raises(InputError, match="names, a list of texts, expected"):
        stored_texts(_state(names=value), "names")


@pytest.mark.parametrize("value", [None, "densenet121", {"name": "x"}, {"name": "x", "weights_hash": 3}, []])
def test_an_encoder_has_name_and_hash(value):
    assert stored_encoder(_state(encoder={})) == {}
    with pytest.raises(InputError, match="name and hash of a saved model's encoder expected"):
        stored_encoder(_state(encoder=value))


@pytest.mark.parametrize("value", [None, [1], {"size": 3}, {"size_px": "wide"}, {"size_px": -1}])
def test_parts_are_made_of_their_fields(value):
    assert stored_part(_state(spec={"size_px": 32}), "spec", TileSpec) == TileSpec(32)
    with pytest.raises(InputError):
        stored_part(_state(spec=value), "spec", TileSpec)


def test_patients_may_be_unknown():
    assert stored_patients(_state(patients=["ann", None])) == ("ann", None)
    for wrong in (None, [], ["ann", 3], "ann"):
        with pytest.raises(InputError, match="patients, a list of texts or null, expected"):
            stored_patients(_state(patients=wrong))
