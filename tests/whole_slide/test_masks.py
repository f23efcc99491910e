"""Masks on slides of which a part was scanned, and masks beside the tissue."""

import json

import numpy as np
import openslide
import pytest
import shapely
import tifffile

from mclstexp.core.doors import through
from mclstexp.core.errors import InputError
from mclstexp.core.tiles import TileSpec
from mclstexp.io.pixel_sources import _bounds
from mclstexp.io.regions import Regions, read_geojson, to_geojson
from mclstexp.io.slides import ArraySlide, open_slide
from mclstexp.whole_slide.grid import lay_grid
from mclstexp.whole_slide.masks import overlap, read_mask
from mclstexp.whole_slide.readable import ReadableSlide
from mclstexp.whole_slide.settings import SlideSettings

MPP = 4.0
BOUNDS = (300, 200, 700, 600)
PIECE = shapely.box(350, 250, 450, 500)
"""Stained, and the only such: in level-0 pixels of the whole glass."""


def _pixels(piece=PIECE, size=(900, 800)):
    rng = np.random.default_rng(0)
    pixels = np.full((size[1], size[0], 3), 244, np.uint8)
    left, top, right, bottom = map(int, piece.bounds)
    shape = (bottom - top, right - left, 3)
    pixels[top:bottom, left:right] = np.clip(rng.normal((200, 110, 170), 20, shape), 0, 255)
    return pixels


def _slide(bounds=BOUNDS, **about):
    slide = ArraySlide(_pixels(**about), mpp=MPP, id="s")
    slide._source.bounds_px = bounds
    return slide


@pytest.fixture
def mask(tmp_path):
    """Return a function that writes polygons as a program would that counts from `origin`."""

    def write(*polygons, origin=(0, 0), objects=True, scale=1.0, **more):
        features = []
        for polygon in polygons:
            moved = shapely.transform(polygon, lambda xy: (xy - np.array(origin)) * scale)
            said = {"objectType": "annotation"} if objects else {"tissue_id": 0}
            features.append({"type": "Feature", "geometry": shapely.geometry.mapping(moved), "properties": said})
        path = tmp_path / "m.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **more}))
        return path

    return write


@pytest.mark.parametrize("origin", [BOUNDS[:2], (0, 0)], ids=["as QuPath", "as OpenSlide"])
@pytest.mark.parametrize("objects", [True, False])
def test_the_tissue_tells_the_frame(mask, origin, objects):
    regions, said, _ = read_mask(mask(PIECE, origin=origin, objects=objects), _slide())
    assert regions.polygons[0].equals(PIECE)
    assert said == []


def test_a_mask_that_fits_one_frame_alone_is_in_that(mask):
    beyond = shapely.box(310, 210, 840, 590)  # wider than what was scanned
    assert read_mask(mask(beyond), _slide())[0].polygons[0].equals(beyond)
    assert read_geojson(mask(beyond), slide=_slide()).polygons[0].equals(beyond)


def test_what_cannot_be_told_is_said_and_can_be_given(mask):
    bare = shapely.box(310, 210, 340, 240)  # glass in either frame
    path = mask(bare, origin=BOUNDS[:2])
    with through("command"):
        regions, said, _ = read_mask(path, _slide())
    assert regions.polygons[0].equals(bare)
    assert "0% with (0, 0) at the corner of what was scanned" in said[0]
    assert said[0].endswith("if it is wrong, give --mask-frame openslide")
    assert said[1].startswith("0% of the mask m.geojson lies on the tissue of s")
    given, _, _ = read_mask(path, _slide(), frame="openslide")
    assert given.polygons[0].bounds == (10, 10, 40, 40)


def test_the_frame_that_a_file_states_counts(mask):
    path = mask(PIECE, origin=BOUNDS[:2], objects=False, **{"mclstexp:frame": "qupath"})
    assert read_geojson(path, slide=_slide()).polygons[0].equals(PIECE)


def test_what_is_written_begins_at_the_scanned_corner_and_is_read_again(tmp_path):
    regions = Regions((PIECE,), ("1",))
    text = to_geojson(regions, slide=_slide())
    assert shapely.geometry.shape(json.loads(text)["features"][0]["geometry"]).bounds == (50, 50, 150, 300)
    (tmp_path / "t.geojson").write_text(text)
    assert read_geojson(tmp_path / "t.geojson", slide=_slide()).polygons[0].equals(PIECE)
    assert json.loads(to_geojson(regions))["features"][0]["geometry"]["coordinates"][0][0] == [450, 250]


def test_a_wholly_scanned_slide_has_one_frame(mask):
    for bounds in (None, (0, 0, 900, 800)):
        regions, said, _ = read_mask(mask(PIECE), _slide(bounds=bounds))
        assert (regions.polygons[0].equals(PIECE), said) == (True, [])


def test_micrometres_for_pixels_are_told(mask):
    small = shapely.box(20, 20, 110, 100)
    slide = _slide(bounds=None, piece=small)
    right, said, _ = read_mask(mask(small), slide)
    assert (len(right), said) == (1, [])
    _, said, _ = read_mask(mask(small, scale=MPP), slide)  # in µm
    assert "% if its numbers are µm, not pixels: check that it was drawn on it" in said[0]


def test_a_mask_round_all_tissue_is_no_mask_on_glass(mask):
    assert read_mask(mask(shapely.box(0, 0, 890, 790)), _slide(bounds=None))[1] == []


def test_overlap_is_of_the_smaller_area():
    one, other = Regions((shapely.box(0, 0, 100, 100),), ("a",)), Regions((shapely.box(50, 0, 450, 100),), ("b",))
    assert overlap(one, other) == pytest.approx(0.5, abs=0.02)
    assert overlap(other, one) == pytest.approx(0.5, abs=0.02)
    assert overlap(Regions((shapely.box(0, 0, 10, 10),), ("a",)), other, scale=10) == pytest.approx(0.5, abs=0.02)
    assert overlap(one, Regions((), ())) == 0


def test_tiles_lie_on_what_was_drawn_round_and_the_doubt_travels(mask):
    spec = TileSpec(16, MPP)
    settings = SlideSettings(mask=str(mask(PIECE, origin=BOUNDS[:2])))
    grid = lay_grid(_slide(), spec, settings=settings)
    assert grid.laid_over == "the regions of m.geojson ((0, 0) at the corner of what was scanned, as in QuPath)"
    low, high = grid.tiles.xy.min(axis=0), grid.tiles.xy.max(axis=0)
    assert (low >= (350, 250)).all()
    assert (high <= (450, 500)).all()
    bare = SlideSettings(mask=str(mask(shapely.box(600, 530, 690, 590))), mask_frame="openslide")
    assert "0% of the mask" in lay_grid(_slide(), spec, settings=bare).doubts[0]
    with pytest.raises(InputError, match="mask_frame must be qupath or openslide, found 'x'"):
        SlideSettings(mask_frame="x")


def test_ignored_classes_are_counted(tmp_path):
    features = [
        {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(area),
            "properties": {"objectType": "annotation", "classification": {"name": name}},
        }
        for area, name in ((PIECE, "Tumor"), (shapely.box(380, 300, 400, 320), "Ignore*"))
    ]
    (tmp_path / "m.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    regions, said, _ = read_mask(tmp_path / "m.geojson", _slide(bounds=None))
    assert regions.area_um2(1.0) == PIECE.area - 400
    assert said == ["1 regions of m.geojson are of ignored classes (Ignore*): left out"]


def _write_scn(path, pixels, *, corner, glass, nm=500):
    """Write a Leica SCN of one area whose `corner` (x, y) lies within a `glass` (width, height)."""
    height, width = pixels.shape[:2]
    x, y, across, down = (value * nm for value in (*corner, *glass))
    xml = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        f'<collection name="c" uuid="urn:uuid:0" sizeX="{across}" sizeY="{down}" barcode=""><image name="i" '
        'uuid="urn:uuid:1"><creationDate>2020-01-01T00:00:00Z</creationDate><device model="x" version="1"/>'
        f'<pixels sizeX="{width}" sizeY="{height}"><dimension sizeX="{width}" sizeY="{height}" r="0" ifd="0"/></pixels>'
        f'<view sizeX="{width * nm}" sizeY="{height * nm}" offsetX="{x}" offsetY="{y}" spacingZ="0"/><scanSettings>'
        "<objectiveSettings><objective>20</objective></objectiveSettings><illuminationSettings><numericalAperture>0.4"
        "</numericalAperture><illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings>"
        "</image></collection></scn>"
    )
    tifffile.imwrite(
        path, pixels, photometric="rgb", compression="jpeg", tile=(256, 256), bigtiff=True, description=xml,
        metadata=None, resolution=(1e7 / nm, 1e7 / nm), resolutionunit="CENTIMETER",
    )  # fmt: skip


def test_openslides_bounds_are_the_slides(tmp_path):
    _write_scn(tmp_path / "s.scn", _pixels(size=(512, 768)), corner=(640, 128), glass=(1600, 1200))
    slide = open_slide(tmp_path / "s.scn")
    assert openslide.OpenSlide(tmp_path / "s.scn").properties["openslide.bounds-x"] == "640"
    assert (slide.bounds_px, slide.origin_px) == ((640, 128, 1152, 896), (640, 128))
    assert ReadableSlide(slide).bounds_px == slide.bounds_px
    inside = slide.read((640 + 400, 128 + 400), TileSpec(32, 0.5))
    outside = slide.read((400, 400), TileSpec(32, 0.5))
    assert (inside.mean() < 200, outside.min()) == (True, 255)


@pytest.mark.parametrize(
    ("said", "bounds"),
    [
        ({}, None),
        ({"x": "0", "y": "0", "width": "100", "height": "80"}, (0, 0, 100, 80)),
        ({"x": "10", "y": "20"}, (10, 20, 100, 80)),
        ({"x": "10", "y": "20", "width": "30", "height": "500"}, (10, 20, 40, 80)),
        ({"x": "1e3", "y": "20"}, None),
        ({"x": "100", "y": "20"}, None),
    ],
)
def test_bounds_are_within_the_slide_or_none(said, bounds):
    found = _bounds({f"openslide.bounds-{side}": value for side, value in said.items()}, (100, 80))
    assert found == bounds
