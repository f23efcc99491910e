import numpy as np
import pytest
from PIL import Image

from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.tile_folder import read_tiles

SPEC = TileSpec(16, 0.5)


def _write(folder, names, size=(16, 16)):
    for i, name in enumerate(names):
        Image.new("RGB", size, (i, 100, 200)).save(folder / name)
    return folder


@pytest.mark.parametrize(
    "names", [["s_x123_y456.png", "s_x20.5_y8.png"], ["123x456.tif", "20.5x8.png"], ["a_123x456.png", "b_20.5x8.png"]]
)
def test_centres_come_from_the_names(tmp_path, names):
    tiles = read_tiles(_write(tmp_path, names), spec=SPEC)
    np.testing.assert_array_equal(tiles.xy, [(123, 456), (20.5, 8)])
    assert tiles.ids.tolist() == [name.rsplit(".", 1)[0] for name in names]
    assert tiles.slide.size_px == (131, 464)
    assert tiles.slide.id == tmp_path.name
    for i in range(2):
        np.testing.assert_array_equal(tiles.read(i), np.full((16, 16, 3), (i, 100, 200)))


def test_other_names_are_laid_on_a_grid(tmp_path):
    (tmp_path / "notes.txt").write_text("no tile")
    tiles = read_tiles(_write(tmp_path, ["a.png", "b.png", "c_x1_y2.png"]), spec=SPEC)
    np.testing.assert_array_equal(tiles.xy, [(8, 8), (24, 8), (8, 24)])
    thumbnail = tiles.slide.thumbnail(32)
    assert thumbnail.shape == (32, 32, 3)
    np.testing.assert_array_equal(thumbnail[::16, ::16, 0], [[0, 1], [2, 255]])


def test_grey_tiles_become_rgb(tmp_path):
    Image.new("L", (16, 16), 7).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_tiles(tmp_path, spec=SPEC).read(0), np.full((16, 16, 3), 7))


def test_fingerprint_follows_pixels_and_places(tmp_path):
    folders = [tmp_path / name for name in "abcd"]
    names = [["1x1.png", "30x1.png"], ["1x1.png", "30x1.png"], ["1x1.png", "31x1.png"], ["30x1.png", "1x1.png"]]
    for folder, files in zip(folders, names, strict=True):
        folder.mkdir()
        _write(folder, files)
    prints = [read_tiles(folder, spec=SPEC).slide.fingerprint() for folder in folders]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_bad_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="a folder of tile images expected"):
        read_tiles(tmp_path / "none", spec=SPEC)
    with pytest.raises(InputError, match="found none"):
        read_tiles(tmp_path, spec=SPEC)
    _write(tmp_path, ["a.png"], size=(16, 17))
    with pytest.raises(InputError, match="a tile of 16 by 16 pixels expected, found 16 by 17"):
        read_tiles(tmp_path, spec=SPEC)


def test_two_tiles_at_one_place_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"a_1x2\.png and b_1x2\.png"):
        read_tiles(_write(tmp_path, ["a_1x2.png", "b_1x2.png"]), spec=SPEC)


def test_only_the_very_tiles_can_be_read(tmp_path):
    tiles = read_tiles(_write(tmp_path, ["a.png"]), spec=SPEC)
    with pytest.raises(InputError, match="can be read only as"):
        tiles.with_spec(TileSpec(32, 0.5)).read(0)
    with pytest.raises(InputError, match="a centre of one of its 1 tiles"):
        tiles.slide.read((9, 9), SPEC)


def test_damage_is_said_when_the_tile_is_read(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-200])
    with pytest.raises(InputError, match="cut short"):
        read_tiles(tmp_path, spec=SPEC).read(0)
