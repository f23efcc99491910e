"""Regions, and GeoJSON as QuPath exports it."""

import gzip
import json

import numpy as np
import pytest
import shapely

from mclstexp.core.errors import InputError
from mclstexp.io.regions import Regions, read_geojson, to_geojson
from mclstexp.io.slides import ArraySlide

SLIDE = ArraySlide(np.zeros((300, 400, 3), np.uint8), mpp=0.5, id="s1")


def _square(x=0, y=0, side=100):
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]


def _feature(*rings, kind="annotation", **said):
    properties = {"objectType": kind, **said}
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": list(rings)}, "properties": properties}


def _collection(*features):
    return {"type": "FeatureCollection", "features": list(features)}


@pytest.fixture
def read(tmp_path):
    def _read(document, name="mask.geojson"):
        path = tmp_path / name
        text = document if isinstance(document, str) else json.dumps(document)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
        return read_geojson(path, slide=SLIDE)

    return _read


def test_a_point_belongs_to_the_first_region_that_covers_it():
    regions = Regions((shapely.box(0, 0, 10, 10), shapely.box(5, 0, 20, 10)), ("a", "b"))
    found = regions.locate([[7, 5], [15, 5], [30, 5], [0, 0], [10, 10], [20, 3], [20.001, 3]])
    assert found.tolist() == [0, 1, -1, 0, 0, 1, -1]


def test_a_hole_is_outside():
    ring = shapely.Polygon(_square(), [_square(40, 40, 20)])
    assert Regions((ring,), ("1",)).locate([[10, 10], [50, 50]]).tolist() == [0, -1]


def test_places_of_many_points_are_those_asked_one_by_one():
    rng = np.random.default_rng(0)
    angles = np.linspace(0, 2 * np.pi, 50)[:-1]
    shapes = []
    for x, y, radius in rng.uniform([0, 0, 5], [100, 100, 30], (20, 3)):
        around = radius * (1 + 0.3 * np.sin(5 * angles))
        shapes.append(shapely.Polygon(np.column_stack([x + around * np.cos(angles), y + around * np.sin(angles)])))
    xy = rng.uniform(0, 100, (500, 2))
    covering = [[k for k, shape in enumerate(shapes) if shape.covers(shapely.Point(p))] for p in xy]
    assert Regions(tuple(shapes), ("t",) * 20).locate(xy).tolist() == [k[0] if k else -1 for k in covering]


def test_no_region_covers_nothing():
    nothing = Regions((), ())
    assert nothing.locate(np.zeros((3, 2))).tolist() == [-1, -1, -1]
    assert nothing.area_um2(0.5) == 0
    assert Regions((shapely.box(0, 0, 1, 1),), ("1",)).locate(np.zeros((0, 2))).shape == (0,)


def test_area_counts_what_overlaps_once():
    regions = Regions((shapely.box(0, 0, 10, 10), shapely.box(5, 0, 15, 10), shapely.box(50, 50, 60, 60)), tuple("abc"))
    assert regions.area_um2(2) == (150 + 100) * 4


def test_every_region_has_a_name():
    with pytest.raises(InputError, match="one name for each region expected, found 0 for 1 regions"):
        Regions((shapely.box(0, 0, 1, 1),), ())


def test_written_regions_are_read_again(read):
    regions = Regions((shapely.Polygon(_square(), [_square(40, 40, 20)]), shapely.box(200, 0, 250, 40)), ("T", "2"))
    again = read(to_geojson(regions))
    assert again.names == regions.names
    assert all(a.equals(b) for a, b in zip(again.polygons, regions.polygons, strict=True))
    assert json.loads(to_geojson(regions))["features"][0]["properties"]["objectType"] == "annotation"


@pytest.mark.parametrize("name", ["mask.geojson", "mask.geojson.gz", "mask.json"])
def test_every_form_of_geojson_is_read(read, name):
    feature = _feature(_square(), name="A")
    geometry = feature["geometry"]
    gathered = {"type": "GeometryCollection", "geometries": [geometry, {"type": "Point", "coordinates": [1, 2]}]}
    forms = [_collection(feature), [feature], feature, geometry, gathered, {"type": "Feature", "geometry": gathered}]
    for form in forms:
        assert read(form, name).polygons[0].equals(shapely.box(0, 0, 100, 100))


def test_a_byte_order_mark_and_heights_do_no_harm(read):
    ring = [[*point, 0.0] for point in _square()]
    assert not read("\ufeff" + json.dumps(_feature(ring))).polygons[0].has_z


def test_names_are_the_annotations_own_else_their_class_else_their_number(read):
    regions = read(
        _collection(
            _feature(_square(0), name="gland", classification={"name": "Tumor"}),
            _feature(_square(100), classification={"name": "Tumor", "color": [200, 0, 0]}),
            _feature(_square(200), classification="Stroma"),
            _feature(_square(0, 150), classification=None, name=None),
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [_square(100, 150)]},
                "properties": None,
            },
        )
    )
    assert regions.names == ("gland", "Tumor", "Stroma", "4", "5")


def test_parts_of_an_annotation_share_its_name_and_holes_stay(read):
    parts = [[_square(0), _square(40, 40, 20)], [_square(200)]]
    feature = {**_feature(name="T"), "geometry": {"type": "MultiPolygon", "coordinates": parts}}
    regions = read(_collection(feature))
    assert regions.names == ("T", "T")
    assert [len(polygon.interiors) for polygon in regions.polygons] == [1, 0]


def test_points_lines_and_outlines_without_area_are_passed_over(read):
    line = {"type": "LineString", "coordinates": [[0, 0], [9, 9]]}
    rest = [{"type": "Feature", "geometry": geometry, "properties": {}} for geometry in (line, None)]
    flat = [_feature([[0, 0], [5, 5], [0, 0]]), _feature([[0, 0], [5, 5], [9, 9], [0, 0]]), _feature([]), _feature()]
    assert len(read(_collection(*rest, *flat, _feature(_square())))) == 1
    with pytest.raises(InputError, match=r"at least one polygon expected in .*, found none: export the annotations"):
        read(_collection(*rest, *flat))


def test_cells_are_passed_over_where_there_are_annotations(read):
    cells = [_feature(_square(5 * i, 5, 4), kind="cell") for i in range(3)]
    old = {"type": "Feature", "id": "PathCellObject", "geometry": cells[0]["geometry"], "properties": {}}
    assert read(_collection(*cells, old, _feature(_square(), name="A"))).names == ("A",)
    assert len(read(_collection(*cells, old))) == 4


def test_a_crossing_outline_is_mended(read):
    bow_tie = read(_feature([[0, 0], [100, 100], [100, 0], [0, 100], [0, 0]], name="bow"))
    assert bow_tie.names == ("bow", "bow")
    assert sum(polygon.area for polygon in bow_tie.polygons) == 5000
    assert all(polygon.is_valid for polygon in bow_tie.polygons)


def test_a_few_pixels_over_the_edge_are_cut_off(read):
    assert read(_feature(_square(-3, -4, 104))).polygons[0].equals(shapely.box(0, 0, 101, 100))


@pytest.mark.parametrize(
    ("ring", "message"),
    [
        (
            _square(350),
            "within the 400 x 300 level-0 pixels of s1 expected .*, found 350 to 450 across and 0 to 100 down",
        ),
        (_square(-50), "found -50 to 50 across"),
        (_square(0.1, 0.2, 0.5), "found all of them within a pixel or two .*multiply coordinates between 0 and 1"),
    ],
)
def test_another_coordinate_system_is_refused(read, ring, message):
    with pytest.raises(InputError, match=message):
        read(_feature(ring))


def test_a_geographic_system_is_refused_and_another_is_not(read):
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    with pytest.raises(InputError, match=r"found a geographic system \(CRS84\) named in its \"crs\""):
        read({**_collection(_feature(_square())), "crs": crs})
    crs["properties"]["name"] = "pixels"
    assert len(read({**_collection(_feature(_square())), "crs": crs})) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "damaged or of another kind"),
        ("x,y\n1,2\n", "another kind of file: export the annotations as GeoJSON"),
        (json.dumps(_collection(_feature(_square())))[:-20], "damaged or of another kind"),
        (json.dumps(_feature(_square())).replace("100", "NaN"), "coordinates that are not finite"),
        (json.dumps(_feature(_square())).replace("100", "1e999"), "coordinates that are not finite"),
        (json.dumps(_feature(_square())).replace("100", "null"), "coordinates that are not finite"),
        (json.dumps(_feature(_square())).replace("100", '"left"'), "damaged or of another kind"),
        (json.dumps(_feature([1, 2, 3, 4])), "a ring that is not a list"),
        ('{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": null}}', "not laid out as GeoJSON"),
        ('{"type": "Feature", "geometry": {"type": "Polygon"}}', r"a part missing \(coordinates\)"),
        ('{"type": "FeatureCollection"}', r"a part missing \(features\)"),
        ('{"type": "FeatureCollection", "features": 3}', "not laid out as GeoJSON"),
        ('{"type": "FeatureCollection", "features": [3]}', "GeoJSON .* expected in .*, found a JSON int"),
        ('{"type": "Topology"}', "found a JSON dict of type 'Topology'"),
        ('{"shapes": []}', "found a JSON dict: export it as GeoJSON"),
        ("3", "found a JSON int"),
    ],
)
def test_what_is_no_geojson_is_refused_in_a_sentence(read, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read(text)
    assert "\n" not in str(caught.value)


def test_missing_and_cut_short_files_are_refused(tmp_path, read):
    with pytest.raises(InputError, match="found no such file"):
        read_geojson(tmp_path / "none.geojson", slide=SLIDE)
    path = tmp_path / "cut.geojson.gz"
    path.write_bytes(gzip.compress(json.dumps(_feature(_square())).encode())[:-30])
    with pytest.raises(InputError, match="damaged or of another kind"):
        read_geojson(path, slide=SLIDE)


def test_classes_that_end_in_a_star_are_left_out_and_cut_out(read):
    ignored = [{"name": "Ignore*"}, "Artefact*", {"names": ["Tumor", "Ignore*"]}, {"name": "Tumor: Fold*"}]
    for said in ignored:
        regions = read(_collection(_feature(_square()), _feature(_square(90, 0, 40), classification=said)))
        assert regions.area_um2(1.0) == 100 * 100 - 10 * 40
    # QuPath's Region* lies round what counts
    around = _feature(_square(0, 0, 250), classification={"name": "Region*"})
    assert read(_collection(around, _feature(_square()))).area_um2(1.0) == 100 * 100
    # a name or a class with a star elsewhere is a name
    kept = _collection(_feature(_square(), name="x*"), _feature(_square(150), classification={"name": "Necrosis* old"}))
    assert len(read(kept)) == 2
    with pytest.raises(InputError, match=r"found 1 of classes that are not to be analysed \(Ignore\*\): export"):
        read(_collection(_feature(_square(), classification={"name": "Ignore*"})))
    with pytest.raises(InputError, match=r"found 1 of classes that are not to be analysed"):
        read(_collection(_feature(_square()), _feature(_square(), classification={"name": "Ignore*"})))


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:EPSG::3857", "urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"])
def test_a_geographic_stamp_on_pixels_does_no_harm(read, name):
    crs = {"type": "name", "properties": {"name": name}}
    pixels = {"type": "Feature", "properties": {"tissue_id": 0}, "geometry": _feature(_square(190))["geometry"]}
    assert read({**_collection(pixels), "crs": crs}).polygons[0].equals(shapely.box(190, 0, 290, 100))
    degrees, metres = _feature(_square(8.5, 49, 0.02)), _feature(_square(946_000, 6_275_000, 300))
    for drawn in (degrees, metres):
        with pytest.raises(InputError, match=r"found a geographic system \((EPSG|CRS84)\) named in its"):
            read({**_collection(drawn), "crs": crs})
