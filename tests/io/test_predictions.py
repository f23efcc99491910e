"""Predictions on disk: what was predicted and how comes back, and never the truth."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from pandas.api.types import is_string_dtype

from mclstexp.core.errors import InputError
from mclstexp.core.section import Section
from mclstexp.io.predictions import read_prediction, write_prediction
from mclstexp.io.synthetic import make_sections
from mclstexp.methods import create


@pytest.fixture(scope="module")
def predicted():
    section = make_sections(1, n_spots_side=4, n_genes=8, mpp=4.0)[0]
    named = Section(id="1/2 %2F", patient="P/1", tiles=section.tiles, counts=section.counts)
    return create("mean").fit([named]).predict(named.tiles)


def test_predictions_come_back_whole(predicted, tmp_path):
    predicted.uns["mclstexp"]["code"] = {"commit": "abc", "dirty": True, "nothing": None}
    before = predicted.copy()
    back = read_prediction(write_prediction(predicted, tmp_path / "deep" / "p.h5ad"))
    np.testing.assert_array_equal(back.X, predicted.X)
    np.testing.assert_array_equal(back.obsm["spatial"], predicted.obsm["spatial"])
    assert back.uns["mclstexp"] == before.uns["mclstexp"] == predicted.uns["mclstexp"]
    assert back.uns["mclstexp"]["sections"].keys() == {"1/2 %2F"}
    assert (back.obs == before.obs).all(axis=None)
    assert list(back.var_names) == list(before.var_names)
    assert all(is_string_dtype(one.obs["section"]) for one in (back, before, predicted)), "text, not categories"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["p.h5ad"]


def test_only_predictions_are_written(predicted, tmp_path):
    with pytest.raises(InputError, match=r"a prediction.*found none there"):
        write_prediction(AnnData(np.zeros((1, 1))), tmp_path / "p.h5ad")
    with pytest.raises(InputError, match=r"found the folder .* give .*prediction.h5ad"):
        write_prediction(predicted, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_nothing(predicted, tmp_path):
    broken = predicted.copy()
    broken.uns["mclstexp"] = {"options": object()}
    with pytest.raises(Exception, match="object"):
        write_prediction(broken, tmp_path / "p.h5ad")
    assert not list(tmp_path.iterdir())


def test_other_files_are_refused(predicted, tmp_path):
    with pytest.raises(InputError, match=r"a prediction .* found no such file"):
        read_prediction(tmp_path / "p.h5ad")
    AnnData(np.zeros((1, 1))).write_h5ad(tmp_path / "other.h5ad")
    with pytest.raises(InputError, match=r"a prediction .* found a part missing \(mclstexp\)"):
        read_prediction(tmp_path / "other.h5ad")
    path = write_prediction(predicted, tmp_path / "p.h5ad")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"a prediction .* found a file that is damaged"):
        read_prediction(path)


def test_text_beside_numbers_in_a_column_is_written_as_text(tmp_path):
    predicted = AnnData(np.zeros((4, 1), np.float32), uns={"mclstexp": {}})
    predicted.obs["section"] = ["a", 2, None, 3.5]
    predicted.obs["label"] = pd.Categorical(["b", 1, None, "b"])
    read = read_prediction(write_prediction(predicted, tmp_path / "p.h5ad"))
    assert read.obs["section"].tolist()[:2] == ["a", "2"]
    assert read.obs["section"].isna().tolist() == [False, False, True, False]
    assert read.obs["label"].astype(object).tolist()[:2] == ["b", "1"]
    assert predicted.obs["section"].tolist()[1] == 2, "the caller's own is left alone"
