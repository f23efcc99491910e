from dataclasses import replace

import numpy as np
import pytest
from anndata import AnnData

import st_files as files
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.checks import check_section, describe_section, require_on_tissue
from mclstexp.io.slides import ArraySlide
from mclstexp.io.st_folder import read_st_folder
from mclstexp.io.witnesses import tissue_shares

SPEC = TileSpec(size_px=20, mpp=files.MPP)


def _section(n_cols=6, n_rows=10, *, spec=SPEC, counts=1000, array=True):
    """Spots 20 px apart on tissue that fills the left two thirds of a wide picture."""
    y, x = (a.ravel() for a in np.meshgrid(np.arange(n_rows), np.arange(n_cols), indexing="ij"))
    picture = np.full((220, 200, 3), 245, np.uint8)
    picture[5:205, 5:125] = (180, 90, 160)
    places = np.column_stack([x, y])
    ids = np.array([f"{a}x{b}" for a, b in places])
    tiles = Tiles(
        slide=ArraySlide(picture, mpp=files.MPP, id="s"),
        xy=places * 20.0 + 15,
        ids=ids,
        spec=spec,
        array_xy=places if array else None,
    )
    matrix = AnnData(np.full((len(ids), 2), counts // 2))
    matrix.obs_names = ids
    matrix.uns.update({"pitch_um": 200.0, "spot_diameter_um": 100.0})
    return Section(id="s", patient="p", tiles=tiles, counts=matrix)


def _moved(section, xy):
    return replace(section, tiles=replace(section.tiles, xy=xy))


def test_nothing_to_say_of_a_good_section():
    section = _section()
    assert check_section(section) == []
    assert tissue_shares(section)["as they are"] == 1
    require_on_tissue(section)


def test_a_good_section_turned_by_a_right_angle_is_still_good():
    section = _section()
    picture = np.rot90(section.tiles.slide.thumbnail(220))
    slide = ArraySlide(np.ascontiguousarray(picture), mpp=files.MPP, id="s")
    # counterclockwise: the new column is the old row, the new row counts from the old right edge
    xy = np.column_stack([section.tiles.xy[:, 1], 200 - section.tiles.xy[:, 0]])
    assert check_section(replace(section, tiles=replace(section.tiles, slide=slide, xy=xy))) == []


@pytest.mark.parametrize("array", [True, False])
def test_swapped_places_are_refused_with_and_without_an_array(array):
    section = _section(n_cols=5, array=array)
    swapped = _moved(section, section.tiles.xy[:, ::-1])
    for check in (require_on_tissue, check_section):
        with pytest.raises(
            InputError, match=r"^s: spots on tissue expected, found 60% of them there and 100% if x and"
        ):
            check(swapped)


def test_a_small_swap_is_told_by_the_mirrored_array_alone():
    # all but a few spots stay on tissue
    section = _section(n_cols=6, n_rows=7)
    swapped = section.tiles.xy[:, ::-1]
    with pytest.raises(InputError, match=r"86% of them there and 100% if x and y are swapped"):
        require_on_tissue(_moved(section, swapped))
    blind = _moved(replace(section, tiles=replace(section.tiles, array_xy=None)), swapped)
    said = "s: 86% of spots lie on tissue, but 100% if x and y swapped: look at the overlay"
    with pytest.warns(UserWarning, match=said):
        require_on_tissue(blind)
    assert said in check_section(blind)


def test_a_mirrored_array_is_said_where_tissue_fills_the_image():
    section = _section()
    picture = np.full((220, 200, 3), (180, 90, 160), np.uint8)
    full = replace(section.tiles, slide=ArraySlide(picture, mpp=files.MPP, id="s"), xy=section.tiles.xy[:, ::-1])
    mirrored = replace(section, tiles=full)
    with pytest.warns(UserWarning, match=r"^s: the image shows the spots' array .* in a mirror"):
        require_on_tissue(mirrored)
    # bins lie face to face with the tissue, a CytAssist's spots too
    for uns in ({"pitch_um": 8.0, "spot_diameter_um": 8.0}, {"cytassist": True}):
        counts = mirrored.counts.copy()
        counts.uns.update(uns)
        require_on_tissue(replace(mirrored, counts=counts))
    require_on_tissue(replace(mirrored, tiles=replace(full, array_xy=full.array_xy + 300)))


def test_places_shared_on_the_array_are_said():
    section = _section()
    array = section.tiles.array_xy.copy()
    array[30:] = array[:30]
    twice = replace(section, tiles=replace(section.tiles, array_xy=array))
    with pytest.warns(UserWarning, match=r"^s: 30 of 60 spots have the place of another on the array"):
        require_on_tissue(twice)


def test_tissue_of_a_grey_picture_is_what_is_dark():
    section = _section()
    grey = np.full((220, 200, 3), 245, np.uint8)
    grey[5:205, 5:125] = 120
    slide = ArraySlide(grey, mpp=files.MPP, id="s")
    (said,) = check_section(replace(section, tiles=replace(section.tiles, slide=slide)))
    assert said.startswith("s: the image has no colours")  # and nothing of tissue


def test_flips_are_suspected():
    section = _section()
    flipped = _moved(section, np.array([200, 0]) + section.tiles.xy * [-1, 1])
    assert check_section(flipped) == [
        "s: 33% of spots lie on tissue, but 100% if flipped left to right: look at the overlay"
    ]
    on_glass = _moved(section, section.tiles.xy * [0.1, 0.4] + [145, 60])
    assert check_section(replace(on_glass, tiles=replace(on_glass.tiles, array_xy=None)))[0].startswith(
        "s: 0% of spots"
    )


@pytest.mark.parametrize("name", ["turned by 180°", "turned by 90° clockwise", "turned by 90° counterclockwise"])
def test_turns_are_suspected(name):
    section, size = _section(n_cols=5, n_rows=9, array=False), 220
    letter = np.full((size, size, 3), 245, np.uint8)
    letter[5:205, 5:125] = (180, 90, 160)
    letter[150:205, 5:205] = (180, 90, 160)
    x, y = section.tiles.xy.T
    turned = {
        "turned by 180°": (size - x, size - y),
        "turned by 90° clockwise": (y, size - x),
        "turned by 90° counterclockwise": (size - y, x),
    }[name]
    tiles = replace(section.tiles, slide=ArraySlide(letter, mpp=files.MPP, id="s"), xy=np.column_stack(turned))
    shares = tissue_shares(replace(section, tiles=tiles))
    assert shares[name] == 1
    assert shares["as they are"] < 0.9


def test_places_counted_from_the_bounds_of_a_slide_are_suspected(monkeypatch):
    section = _section(n_cols=4, array=False)
    picture = np.full((220, 200, 3), 245, np.uint8)
    picture[5:215, 105:195] = (180, 90, 160)
    slide = ArraySlide(picture, mpp=files.MPP, id="s")
    monkeypatch.setattr(ArraySlide, "bounds_px", property(lambda self: (98, 3, 200, 220)))
    said = check_section(replace(section, tiles=replace(section.tiles, slide=slide)))
    assert said[0].startswith("s: 0% of spots lie on tissue, but 100% if counted from the slide's bounds")


def test_tissue_that_is_not_stained_is_said():
    section = _section()
    pale = ArraySlide(np.full((220, 200, 3), 240, np.uint8), mpp=files.MPP, id="s")
    assert check_section(replace(section, tiles=replace(section.tiles, slide=pale))) == [
        "s: only 0% of spots lie on stained tissue: look at the overlay"
    ]


def test_spots_beside_the_image():
    section = _section()
    few = section.tiles.xy.copy()
    few[:2] = [[-5, 10], [300, 10]]
    with pytest.warns(UserWarning, match=r"^s: 2 of 60 spots outside the image of 200 by 220 pixels: their tiles are"):
        require_on_tissue(_moved(section, few))
    said = "s: 2 of 60 spots outside the image of 200 by 220 pixels: their tiles are white there"
    assert said in check_section(_moved(section, few))
    with pytest.raises(InputError, match=r"found 60 of 60 spots outside .* pixels: give the image that the coord"):
        require_on_tissue(_moved(section, section.tiles.xy + 1000))
    wide = ArraySlide(np.full((30, 220, 3), 160, np.uint8), mpp=files.MPP, id="s")
    high = replace(section.tiles, slide=wide, xy=section.tiles.xy[:, ::-1] * [1, 0.2])
    back = replace(high, xy=high.xy[:, ::-1])
    with pytest.raises(InputError, match=r"found \d+ of 60 spots outside .*: x and y seem swapped$"):
        require_on_tissue(replace(section, tiles=back))


def test_shallow_few_empty_and_doubled():
    section = _section(n_cols=6, n_rows=4, counts=100)
    xy = section.tiles.xy.copy()
    xy[1] = xy[0]
    matrix = section.counts.copy()
    matrix.X = np.where(np.arange(24) == 3, 0, 50)[:, None].repeat(2, axis=1)
    found = check_section(replace(_moved(section, xy), counts=matrix))
    assert found == [
        "s: 1 of 24 spots have the place of another: check the coordinates",
        "s: 24 spots are few: correlations over them are uncertain",
        "s: a median of 100 counts per spot is shallow: only common genes are measured",
        "s: 1 of 24 spots (4.2%) have no counts: they are neither learnt nor scored, and still predicted",
    ]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (TileSpec(20, 2.0), "the slide has 10 µm per pixel, tiles are read at 2: they are enlarged 5.0 times and hold"),
        (TileSpec(4, 10.0), "tiles of 40 µm are much smaller than spots of 100 µm: change size_px="),
        (TileSpec(60, 10.0), "tiles of 600 µm are much larger than spots of 100 µm: change size_px="),
    ],
)
def test_tiles_that_do_not_suit_slide_or_spots(spec, sentence):
    assert any(found.startswith(f"s: {sentence}") for found in check_section(_section(spec=spec)))


def test_description(tmp_path):
    section = read_st_folder(files.write_st_folder(tmp_path / "rep01"), spec=SPEC, patient="m")
    found = describe_section(section)
    assert found.pop("mpp") == pytest.approx(files.MPP, rel=1e-3)
    assert found.pop("tile_px") == pytest.approx(20, rel=1e-3)
    assert found == {
        "section": "rep01",
        "patient": "m",
        "spots": 21,
        "genes": 4,
        "median_counts": 613.0,
        "median_genes": 4.0,
        "image_px": files.SIZE_PX,
        "tile_um": 200.0,
        "pitch_um": 200.0,
        "spot_diameter_um": 100.0,
        "labels": ["Granular Cell Layer", "Mitral Cell Layer"],
    }


@pytest.mark.data
def test_real_sections_turned_over(data_dir):
    section = read_st_folder(data_dir / "mob_st" / "rep04", spec=TileSpec(72, 2.75))
    assert check_section(section) == []
    width, height = section.tiles.slide.size_px
    xy = section.tiles.xy
    with pytest.raises(InputError, match=r"rep04: .* found 77% of them there and 100% if x and y are swapped"):
        check_section(_moved(section, xy[:, ::-1]))
    assert "100% if flipped left to right" in check_section(_moved(section, [width, 0] + xy * [-1, 1]))[0]
    assert "100% if flipped top to bottom" in check_section(_moved(section, [0, height] + xy * [1, -1]))[0]
