"""stEnTrans: the lattices it lies on, what it is taught, and that it tells more than nearest spots do."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from made_maps import made_maps
from mclstexp.core.enhancer import ROOM
from mclstexp.core.errors import InputError
from mclstexp.core.fine_lattice import fine_tiles
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.enhancement import create_enhancer, released_lattices
from mclstexp.enhancement.hidden import score_hidden
from mclstexp.enhancement.spot_lattice import spot_lattice
from mclstexp.io.slides import ArraySlide
from mclstexp.nn.stentrans import FineMaps
from mclstexp.training import fine_maps
from mclstexp.training.fine_maps import Lessons, fit_fine_maps, masked_error
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.released_fine_maps import released_error

SLIDE = ArraySlide(np.full((40, 40, 3), 255, np.uint8), mpp=2.0, id="s")


def spots(array_xy, step_px):
    array_xy = np.asarray(array_xy, float)
    xy = 7 + array_xy @ np.asarray(step_px, float)
    return Tiles(slide=SLIDE, xy=xy, ids=np.arange(len(xy)).astype(str), spec=TileSpec(), array_xy=array_xy)


SQUARE = [[10, 0], [0, 10]]
HEXAGONAL = [[5, 0], [0, 5 * np.sqrt(3)]]


def grid(columns, rows):
    return np.array([(x, y) for y in rows for x in columns])


def visium(n_columns, n_rows):
    return np.array([(2 * x + y % 2, y) for y in range(n_rows) for x in range(n_columns)])


@pytest.mark.parametrize(
    ("array_xy", "step_px", "basis", "sides", "staggered"),
    [
        (grid(range(3, 8), range(4)), SQUARE, [[1, 0], [0, 1]], (4, 5), False),
        (grid(range(3, 11, 2), range(1, 9, 2)), SQUARE, [[2, 0], [0, 2]], (4, 4), False),
        (visium(4, 4), HEXAGONAL, None, (4, 5), True),
        (visium(4, 6)[np.arange(24) // 4 % 2 == 0], HEXAGONAL, [[2, 0], [0, 2]], (3, 4), False),
    ],
)
def test_lattices_are_found(array_xy, step_px, basis, sides, staggered):
    tiles = spots(array_xy, step_px)
    lattice = spot_lattice(tiles)
    if basis is not None:
        assert lattice.basis.tolist() == basis
    assert sorted(lattice.sides) == sorted(sides)
    assert lattice.staggered == staggered
    np.testing.assert_allclose(lattice.px(lattice.cell.astype(float)), tiles.xy, atol=1e-9)
    lengths = np.linalg.norm(lattice.step_px, axis=1)
    assert abs(lattice.step_px[0] @ lattice.step_px[1]) < 0.51 * lengths.min() ** 2, "steps are as short as can be"


SHUFFLED = np.random.default_rng(0).permutation(40.0 * grid(range(4), range(4)))


@pytest.mark.parametrize(
    ("array_xy", "xy", "said"),
    [
        (None, None, "found no array coordinates"),
        ([(0, 0), (1, 0), (0, np.nan)], None, "array coordinates that are no numbers"),
        ([(0, 0), (1, 0), (900, 701)], None, "found 3 spread over 1802 places of one: use the method kriging"),
        (
            grid(range(4), range(4)),
            np.random.default_rng(0).permutation(40 * grid(range(4), range(4))),
            "steps from where",
        ),
    ],
)
def test_what_is_no_lattice_is_a_sentence(array_xy, xy, said):
    n = 3 if array_xy is None else len(array_xy)
    places = 10 * np.nan_to_num(grid(range(n), [0]) if array_xy is None else np.asarray(array_xy, float))
    tiles = Tiles(
        slide=SLIDE,
        xy=places if xy is None else xy,
        ids=np.arange(n).astype(str),
        array_xy=None if array_xy is None else np.asarray(array_xy, float),
    )
    with pytest.raises(InputError, match=said):
        spot_lattice(tiles)


def test_the_released_lattices_worked_by_hand():
    coarse, fine = released_lattices.learnt_from(grid(range(2, 7), range(1, 4)), hexagonal=False)
    assert coarse.tolist() == [[[2, 1], [4, 1]]], "of five columns and three rows the last go"
    assert fine.shape == (2, 4, 2)
    array_xy = visium(4, 4)
    coarse, fine = released_lattices.learnt_from(array_xy, hexagonal=True)
    assert coarse.tolist() == [[[0, 0], [4, 0]], [[0, 2], [4, 2]]]
    assert fine[1].tolist() == [[-1, 1], [1, 1], [3, 1], [5, 1]], "below left and below right of the first"
    pixels = released_lattices.answered_from(array_xy, hexagonal=True)
    assert pixels[1, 0].tolist() == [1, 1]
    assert released_lattices.finer(pixels, hexagonal=True)[:4, 0].tolist() == [[0, 0], [-0.5, 0.5], [1, 1], [0.5, 1.5]]
    maps, there = released_lattices.laid(np.arange(16.0)[:, None], array_xy, fine)
    assert there[1].tolist() == [False, True, True, True]
    assert maps[0, 1].tolist() == [0, 4, 5, 6]


@pytest.mark.data
@pytest.mark.parametrize("name", ["st", "visium"])
def test_the_released_lattices(parity_dir, name):
    arrays = load_file(parity_dir / "stentrans_grids" / "grids.safetensors")
    known = {key.removeprefix(f"{name}."): array for key, array in arrays.items() if key.startswith(f"{name}.")}
    hexagonal, array_xy, counts = name == "visium", known["coords"][:, ::-1], known["counts"]
    coarse, fine = released_lattices.learnt_from(array_xy, hexagonal=hexagonal)
    whole = released_lattices.answered_from(array_xy, hexagonal=hexagonal)
    for pixels, key in ((coarse, "train_low"), (fine, "train_high"), (whole, "test")):
        np.testing.assert_array_equal(released_lattices.laid(counts, array_xy, pixels)[0], known[key])
    np.testing.assert_array_equal(released_lattices.laid(counts, array_xy, fine)[1], known["train_in_tissue"])
    quarter = whole[::2, ::2]  # what the released scripts score is answered from
    maps, there = released_lattices.laid(counts, array_xy, quarter)
    np.testing.assert_array_equal(maps, known["eval_low"])
    np.testing.assert_array_equal((quarter[there] - whole[0, 0])[:, ::-1], known["eval_low_coords"])
    np.testing.assert_array_equal(maps[:, there].T, known["eval_low_counts"])
    finer = released_lattices.finer(whole, hexagonal=hexagonal)
    np.testing.assert_array_equal(finer, np.stack([known["fine_col"], known["fine_row"]], axis=-1))
    reported = {tuple(place) for place in finer.reshape(-1, 2)} - {(x, y) for y, x in known["fine_not_in_tissue"]}
    ours = fine_tiles(spots(array_xy, HEXAGONAL if hexagonal else SQUARE), factor=2)
    assert {tuple(place) for place in ours.array_xy} == reported, "places between spots are those of the release"


def test_errors_worked_by_hand():
    truth = torch.arange(16.0).reshape(1, 4, 4)
    found = torch.tensor([[1.0, 2], [3, 4]]).repeat(2, 2)[None]
    there = torch.ones(4, 4, dtype=torch.bool)
    there[0, 0] = there[3, 3] = False
    assert released_error(found, truth, there).item() == 35.375
    assert masked_error(found, truth, there).item() == pytest.approx(40.428571)


def lessons(**changed):
    torch.manual_seed(0)
    shown = torch.rand(7, 9) > 0.2
    maps = torch.where(shown, torch.randn(4, 7, 9), 0.0)
    return Lessons.of(changed.get("maps", maps), changed.get("shown", shown), step_px=10 * np.eye(2), seed=0)


def test_spots_that_are_left_out_are_neither_shown_nor_told():
    whole = lessons()
    assert not (whole.taught & whole.left_out).any()
    assert whole.left_out.sum() == round(0.1 * (whole.taught | whole.left_out).sum().item())
    other = lessons(maps=torch.where(whole.left_out, torch.randn(4, 7, 9), whole.maps))
    network = FineMaps(patch=2, width=8, n_heads=2, depth=1)
    said = []
    for some in (whole, other):
        some.set_share(network)
        torch.manual_seed(1)
        said.append([some.drawn_error(network, torch.arange(4)).item() for _ in range(20)])
    assert said[0] == said[1]
    assert np.std(said[0]) > 0
    assert whole.left_out_error(network) != other.left_out_error(network)


def test_of_maps_too_large_for_an_epoch_some_are_drawn_each_time(monkeypatch):
    monkeypatch.setattr(fine_maps, "_PIXELS", 2 * 7 * 9)
    monkeypatch.setattr(fine_maps, "_AT_ONCE", 7 * 9)
    whole, seen = lessons(), []
    error = Lessons._error

    def told_of(self, network, rows, *where, **shown):
        seen.append(rows.tolist())
        return error(self, network, rows, *where, **shown)

    monkeypatch.setattr(Lessons, "_error", told_of)
    options = TrainingOptions(epochs=12, batch_size=4, learning_rate=1e-3, schedule="constant", drop_last=False, seed=0)
    fit_fine_maps(FineMaps(patch=2, width=8, n_heads=2, depth=1), whole, options=options)
    assert {gene for rows in seen for gene in rows} == {0, 1, 2, 3}, "in time every gene is seen"
    assert max(map(len, seen)) == 1


def test_spots_alone_teach_nothing():
    shown = torch.zeros(40, 40, dtype=torch.bool)
    shown[::3, ::3] = False
    shown[0, 0] = True
    with pytest.raises(InputError, match="spots next to each other to learn from expected, found none among 1"):
        lessons(shown=shown, maps=torch.zeros(4, 40, 40))


@pytest.mark.slow
def test_it_tells_smooth_maps_better_than_the_nearest_spot():
    small = create_enhancer("stentrans", max_epochs=6, width=24, depth=1, learning_rate=3e-3)
    methods = {"stentrans": small, "nearest": create_enhancer("nearest")}
    state = torch.random.get_rng_state()
    scores = score_hidden(made_maps(), methods, turns=1).groupby("method")["pcc"].mean()
    assert torch.equal(state, torch.random.get_rng_state()), "the callers' random numbers are left alone"
    assert scores["stentrans"] > scores["nearest"]


def test_presets_are_the_published_sizes():
    released = ROOM.create("stentrans", preset="published", max_epochs=1, depth=1)
    assert (released.patch, released.width, released.n_heads) == (3, 36, 4)
    assert ROOM.create("stentrans", preset="published_visium").depth == 12
    assert released.enhance(made_maps()).X.min() > -1e-6


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"protocol": "papper"}, "must be 'strict' or 'paper'"),
        ({"patch": 0}, "patch of 1 or more expected"),
        ({"width": 50}, "4 divide expected, found 50"),
        ({"protocol": "paper"}, "width of 4 · patch² = 16 in the paper protocol expected, found 48"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive and finite"),
        ({"patch": 15}, "a patch within the lattice of 14 rows and 14 columns expected, found 15: choose 14 or less"),
    ],
)
def test_options_that_cannot_be_are_sentences(options, said):
    with pytest.raises(InputError, match=said):
        create_enhancer("stentrans", **options).enhance(made_maps())
