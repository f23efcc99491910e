"""Predictions as Seurat and QuPath open them."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
import scipy.io

import mclstexp as mx
from made_prediction import GENES, UNREADABLE, made_prediction
from mclstexp.core.errors import InputError
from mclstexp.io.predictions import write_prediction

LEFT_OUT = "ignore:.*places without a value are left out:UserWarning"


@pytest.fixture(scope="module")
def predicted():
    return made_prediction()


@pytest.fixture
def path(predicted, tmp_path):
    return write_prediction(predicted, tmp_path / "biopsy.h5ad")


@pytest.mark.filterwarnings("default")
def test_the_folder_for_seurat_holds_every_value_its_place_and_its_scale(path, predicted, said, tmp_path):
    out = tmp_path / "seurat"
    code, text, errors = said("export", path, "--to", "seurat", "--out", out)
    assert code == 0, errors
    assert "no counts" in text
    known = predicted[predicted.obs_names != UNREADABLE]
    assert "1 of" in errors
    matrix = scipy.io.mmread(out / "matrix.mtx.gz").T.toarray()
    assert np.allclose(matrix, known.X, rtol=1e-5, atol=1e-6)
    with gzip.open(out / "features.tsv.gz", "rt") as file:
        assert [line.split("\t")[1] for line in file] == list(GENES)
    with gzip.open(out / "barcodes.tsv.gz", "rt") as file:
        assert file.read().split() == list(known.obs_names)
    places = pd.read_csv(out / "coordinates.csv", index_col="barcode")
    assert np.allclose(places[["x_px", "y_px"]], known.obsm["spatial"])
    about = json.loads((out / "about.json").read_text())
    assert "no counts" in about["values"]
    assert about["slide_mpp"] == 4.0
    assert about["space"]
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []
    code, _, errors = said("export", path, "--to", "seurat", "--out", out)
    assert (code, "give --overwrite" in errors) == (2, True)
    code, _, errors = said("export", path, "--to", "seurat", "--out", out, "--genes", "ROW", "--overwrite")
    assert code == 0, errors
    assert scipy.io.mmread(out / "matrix.mtx.gz").shape == (1, len(known))


@pytest.mark.filterwarnings(LEFT_OUT)
def test_scanpy_reads_the_folder(path, predicted, tmp_path):
    scanpy = pytest.importorskip("scanpy")
    mx.export_prediction(path, to="seurat", out=tmp_path / "folder")
    read = scanpy.read_10x_mtx(tmp_path / "folder")
    known = predicted[predicted.obs_names != UNREADABLE]
    assert list(read.var_names) == list(GENES)
    assert np.allclose(read.X.toarray(), known.X, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings(LEFT_OUT)
def test_tiles_for_qupath_are_as_large_as_they_lie_apart_and_count_from_the_scan(predicted, tmp_path):
    shifted = predicted.copy()
    shifted.uns["mclstexp"] = {**shifted.uns["mclstexp"], "slide_bounds_px": [60, 20, 860, 590]}
    written = mx.export_prediction(shifted, to="qupath", out=tmp_path / "tiles.geojson", genes=["ROW"])
    features = json.loads(written.read_text())["features"]
    known = predicted[predicted.obs_names != UNREADABLE]
    assert len(features) == len(known)
    ring = np.array(features[0]["geometry"]["coordinates"][0])
    assert np.allclose(ring[:4].mean(axis=0), known.obsm["spatial"][0] - (60, 20))
    assert np.ptp(ring, axis=0).tolist() == [28, 28]
    assert features[0]["properties"]["measurements"] == {"ROW": known[0, "ROW"].X.item()}


@pytest.mark.filterwarnings(LEFT_OUT)
def test_what_cannot_be_exported_is_said(path, predicted, said, tmp_path):
    code, _, errors = said("export", path, "--to", "qupath", "--out", tmp_path / "t.geojson", "--genes", "RWO")
    assert (code, "a gene that was predicted expected, found 'RWO': did you mean 'ROW'?" in errors) == (2, True)
    code, _, errors = said("export", path, "--to", "loupe", "--out", tmp_path / "x")
    assert code == 2
    many = made_prediction(n_genes=60)
    with pytest.raises(
        InputError, match=r"50 genes at most expected for QuPath, found 60 in the prediction: .* genes="
    ):
        mx.export_prediction(many, to="qupath", out=tmp_path / "t.geojson")
    bare = predicted.copy()
    del bare.uns["mclstexp"]
    with pytest.raises(InputError, match="a prediction with places expected"):
        mx.export_prediction(bare, to="seurat", out=tmp_path / "x")
    with pytest.raises(InputError, match="one of seurat, qupath expected, found 'loupe'"):
        mx.export_prediction(predicted, to="loupe", out=tmp_path / "x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["biopsy.h5ad"]
