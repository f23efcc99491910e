"""Keys tell apart what differs and nothing else."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from mclstexp.core import identity
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.slides import ArraySlide

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(plain, plain)
def test_equal_values_have_equal_keys_and_others_others(one, other):
    same = identity.of("x", one) == identity.of("x", other)
    assert same == (_typed(one) == _typed(other))


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_no_two_lists_of_parts_read_alike(one, other):
    assert (identity.of("x", *one) == identity.of("x", *other)) == (one == other)


def _typed(value):
    """Spell a value so that == means what a key means: True is not 1, but 1 is 1.0."""
    match value:
        case bool() | None:
            return ("constant", str(value))
        case int() | float():
            return ("number", value)
        case list():
            return ("list", [_typed(part) for part in value])
        case dict():
            return ("mapping", {name: _typed(part) for name, part in value.items()})
        case _:
            return (type(value).__name__, value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 2), [1, 2]),
        (1, np.float32(1)),
        (0.0, -0.0),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a", "b", "c"}, {"c", "b", "a"}),
        (np.array(["a", "b"]), np.array(["a", "b"], "<U9")),
        (np.arange(3, dtype="<i8"), np.arange(3, dtype=">i8")),
        (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
        (sparse.csr_matrix([[0, 1], [2, 0]]), sparse.csc_matrix([[0, 1], [2, 0]])),
        (TileSpec(32, 1), TileSpec(32, 1.0)),
    ],
)
def test_values_that_are_the_same_to_every_result_are_one(one, other):
    assert identity.of("x", one) == identity.of("x", other)


@dataclass
class Lens:
    size_px: int = 224
    mpp: float = 0.5


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["ab", "c"], ["a", "bc"]),
        ([[1], 2], [1, [2]]),
        ("1", 1),
        (True, 1),
        (None, "None"),
        (np.zeros(4), np.zeros((2, 2))),
        (np.zeros(4, np.float32), np.zeros(4, np.int32)),
        (np.zeros(4), [0, 0, 0, 0]),
        (0.1, np.float32(0.1)),
        ({"a": {"b": 1}}, {"a": {"c": 1}}),
        (sparse.csr_matrix((2, 3)), sparse.csr_matrix((3, 2))),
        (TileSpec(), Lens()),
    ],
)
def test_values_that_differ_are_two(one, other):
    assert identity.of("x", one) != identity.of("x", other)


def test_kinds_are_apart_and_what_cannot_be_known_is_refused():
    assert identity.of("tiles", 1) != identity.of("section", 1)
    with pytest.raises(InputError, match="found function"):
        identity.of("x", [lambda: 0])


def test_a_slide_is_its_pixels_and_their_scale_not_its_name():
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    slide = ArraySlide(pixels, mpp=0.5, id="a")
    assert identity.of_slide(slide) == identity.of_slide(ArraySlide(pixels, mpp=0.5, id="b"))
    assert identity.of_slide(slide) != identity.of_slide(ArraySlide(pixels, mpp=0.6, id="a"))
    assert identity.of_slide(slide) != identity.of_slide(ArraySlide(255 - pixels, mpp=0.5, id="a"))
