"""What a prediction knows of its genes: read where it is there, and never made up where it is not."""

import json

import numpy as np
import pandas as pd
import pytest

from made_prediction import UNREADABLE, corner_slide, made_prediction
from mclstexp.io.predictions import write_prediction
from mclstexp.io.qupath_tiles import tiles_geojson
from mclstexp.io.regions import read_geojson
from mclstexp.report.viewer_data import SlideView
from mclstexp.report.viewer_genes import KnownGenes
from viewed_slide import judged_prediction, write_slide


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_slide(tmp_path_factory.mktemp("view"))


def test_what_a_test_found_is_read(folder, tmp_path):
    path = write_prediction(judged_prediction(folder), tmp_path / "judged.h5ad")
    described = json.loads(json.dumps(SlideView(folder / "corner.png", path).describe(), allow_nan=False))
    assert described["known"] == {
        "verdict": ["predictable", "doubtful", "not predictable", ""],
        "tested_pcc": [0.5, 0.3, 0.01, None],
        "ceiling": [0.8, 0.9, 0.4, None],
        "share": [0.625, 0.3333, 0.025, None],
        "tested_on": ["A", "B"],
        "method": "ridge",
    }
    assert described["spread"] == pytest.approx(np.nanstd(made_prediction().X, axis=0), abs=1e-5)


def test_an_older_prediction_knows_nothing(folder):
    view = SlideView(folder / "corner.png", folder / "corner.h5ad")
    assert view.describe()["known"] is None
    said = view.peaks(0)
    assert (said["training"], said["limits"]) == (None, said["own"])


def test_colours_span_what_training_held_where_that_is_known(folder, tmp_path):
    path = write_prediction(judged_prediction(folder), tmp_path / "judged.h5ad")
    view = SlideView(folder / "corner.png", path)
    column = view.peaks(0)
    assert column["limits"] == column["training"] == (-10.0, 90.0)
    assert column["own"] == pytest.approx((*np.nanquantile(view.values(0), [0.01, 0.99]),))
    for gene in (1, 3):  # no range, and none known
        assert (view.peaks(gene)["training"], view.peaks(gene)["limits"]) == (None, view.peaks(gene)["own"])
    assert view.peaks(4)["training"] is None, "a distance is no gene"


def test_what_is_no_verdict_or_number_is_not_known():
    predicted = made_prediction()
    predicted.var["verdict"] = pd.Categorical(["predictable", "<b>sure</b>", "", "certain"])
    predicted.var["tested_pcc"] = ["0.5", "high", "inf", ""]
    predicted.uns["mclstexp"]["verdicts"] = "none"
    known = KnownGenes.of(predicted)
    assert known.verdicts == ("predictable", "", "", "")
    assert known.describe()["tested_pcc"] == [0.5, None, None, None]
    assert known.tested_on == ()


def test_tiles_for_qupath_count_from_the_corner_of_the_scan(tmp_path):
    slide = corner_slide()
    slide._source.bounds_px = (60, 20, 860, 590)
    predicted = made_prediction(slide)
    inside = (predicted.obsm["spatial"] > (75, 35)).all(axis=1) & (predicted.obsm["spatial"] < (845, 575)).all(axis=1)
    predicted = predicted[inside]
    xy, values = predicted.obsm["spatial"], {"ROW": predicted.X[:, 1], "DARK": predicted.X[:, 3]}
    path = tmp_path / "tiles.geojson"
    path.write_text(tiles_geojson(xy, side_px=28.0, values=values, origin_px=slide.origin_px), "utf-8")
    said = json.loads(path.read_text("utf-8"))
    assert said["features"][0]["properties"]["objectType"] == "tile"
    assert np.mean(said["features"][5]["geometry"]["coordinates"][0][:4], axis=0) == pytest.approx(xy[5] - (60, 20))
    missing = predicted.obs_names.get_loc(UNREADABLE)
    for tile, feature in enumerate(said["features"]):
        measured = feature["properties"]["measurements"]
        assert sorted(measured) == ([] if tile == missing else ["DARK", "ROW"])
        assert tile == missing or measured["ROW"] == predicted.X[tile, 1]
    back = read_geojson(path, slide=slide)
    np.testing.assert_allclose([[*p.centroid.coords[0]] for p in back.polygons], xy, atol=0.01)
    assert [p.area for p in back.polygons] == pytest.approx(len(xy) * [28.0**2])
