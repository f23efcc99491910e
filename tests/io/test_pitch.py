import math

import numpy as np
import pytest

from mclstexp.core.errors import InputError
from mclstexp.io.pitch import choose_mpp, hexagonal_um, mpp_from_array, neighbour_distance_px


def _array(n=12):
    row, k = (a.ravel() for a in np.meshgrid(np.arange(n), np.arange(n)))
    return hexagonal_um(row, 2 * k + row % 2)


def _turned(array_um, mpp, degrees, *, mirrored=False):
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return array_um * ([-1, 1] if mirrored else [1, 1]) @ turn / mpp + [1000, 2000]


def test_every_neighbour_is_100_um_away():
    # (0, 0) has neighbours (0, ±2) and (±1, ±1): √(50² + 86.6²) = 100
    places = hexagonal_um([0, 0, 1], [0, 2, 1])
    assert np.linalg.norm(places[1:] - places[0], axis=1) == pytest.approx([100, 100])


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 17, 90])
def test_scale_does_not_depend_on_how_the_array_lies(degrees, mirrored):
    array = _array()
    assert mpp_from_array(array, _turned(array, 0.73, degrees, mirrored=mirrored)) == pytest.approx(0.73)


def test_wrong_spots_do_not_move_the_scale():
    array = _array()
    xy = _turned(array, 0.73, 5)
    xy[[3, 40, 100]] = 0
    assert mpp_from_array(array, xy) == pytest.approx(0.73, rel=1e-6)


def test_spots_that_say_nothing_give_no_scale():
    array = _array()
    assert mpp_from_array(array[:1].repeat(5, axis=0), np.ones((5, 2))) is None
    line = array[:, 1] == 0
    assert mpp_from_array(array[line], array[line]) is None
    assert mpp_from_array(array, array * [1, 1.2]) is None
    shuffled = np.random.default_rng(0).permutation(array)
    assert mpp_from_array(array, shuffled) is None


def test_neighbour_distance():
    assert neighbour_distance_px(np.round(_array() / 0.97)) == pytest.approx(100 / 0.97, rel=5e-3)
    assert neighbour_distance_px(np.zeros((2, 2))) is None
    assert neighbour_distance_px(np.zeros((5, 2))) is None


def test_the_caller_comes_first_then_the_spots_then_the_header():
    assert choose_mpp(0.5, measured=0.51, header=0.49, where="s") == 0.5
    assert choose_mpp(None, measured=0.51, header=0.5, where="s") == 0.51
    assert choose_mpp(None, header=0.5, where="s") == 0.5
    with pytest.warns(
        UserWarning, match=r"s: the spots' spacing says 0.5 µm per pixel, the image's header 0.25: 0.5 is"
    ):
        assert choose_mpp(None, measured=0.5, header=0.25, where="s") == 0.5
    with pytest.raises(InputError, match=r"s: mpp unknown .* give mpp="):
        choose_mpp(None, where="s")
    with pytest.raises(InputError, match=r"a positive number of µm per pixel, found nan"):
        choose_mpp(math.nan, where="s")
