"""Precision is the same on every machine unless told; it stands in model, prediction and keys, and is warned of."""

import json
import warnings

import numpy as np
import pytest
from safetensors.torch import save_file

from mclstexp.core.errors import InputError
from mclstexp.io.models import load_model, save_model
from mclstexp.io.predictions import read_prediction, write_prediction
from mclstexp.methods import create, list_methods
from mclstexp.nn.image_encoders import create_encoder
from mclstexp.nn.local_weights import FOLDERS
from mclstexp.sight import embed
from small_methods import ENCODER, small_sections


@pytest.fixture(scope="module")
def sections():
    return small_sections(2)


@pytest.fixture(autouse=True)
def _as_on_any_machine(monkeypatch):
    embed._named.cache_clear()
    monkeypatch.delenv(embed.PRECISION, raising=False)


def _fitted(sections, encoder=ENCODER):
    return create("knn", encoder=encoder, k=2).fit(sections[:1])


def test_features_are_float32_on_every_machine_unless_told(sections, monkeypatch):
    monkeypatch.setattr(embed, "fast_dtype", lambda: pytest.fail("the processor was asked"))
    assert embed.frozen_encoder(ENCODER)["precision"] == "float32"
    monkeypatch.setenv(embed.PRECISION, "bfloat16")
    assert embed.frozen_encoder(ENCODER)["precision"] == "bfloat16"
    monkeypatch.setenv(embed.PRECISION, "half")
    with pytest.raises(InputError, match=r"precision \(MCLSTEXP_PRECISION\) must be 'auto', 'float32' or 'bfloat16'"):
        _fitted(sections)


def test_precision_and_device_stand_in_model_and_prediction(sections, tmp_path):
    model = _fitted(sections)
    said = {"encoder": ENCODER, "precision": "float32", "device": "cpu"}
    assert said.items() <= model.provenance_["numerics"].items()
    description = json.loads((save_model(model, tmp_path / "m") / "model.json").read_text())
    assert said.items() <= description["provenance"]["numerics"].items()
    made = read_prediction(write_prediction(model.predict(sections[1].tiles), tmp_path / "p.h5ad")).uns["mclstexp"]
    assert said.items() <= made["numerics"].items()
    assert made["predicted_with"] == made["numerics"]


def test_another_precision_than_fitted_is_warned_of_and_said(sections, monkeypatch):
    model = _fitted(sections)
    before = model.predict(sections[1].tiles)
    monkeypatch.setenv(embed.PRECISION, "bfloat16")
    with pytest.warns(UserWarning, match="fitted on features in float32, these are in bfloat16, which moves features"):
        low = model.predict(sections[1].tiles)
    assert low.uns["mclstexp"]["numerics"]["precision"] == "float32"
    assert low.uns["mclstexp"]["predicted_with"]["precision"] == "bfloat16"
    monkeypatch.delenv(embed.PRECISION)
    assert np.array_equal(model.predict(sections[1].tiles).X, before.X), "float32 features are kept apart"


def test_a_model_of_an_older_version_knows_no_precision_and_predicts(sections, tmp_path):
    model = _fitted(sections)
    folder = save_model(model, tmp_path / "m")
    description = json.loads((folder / "model.json").read_text())
    del description["provenance"]["numerics"], description["state"]["encoder"]["precision"]
    del description["state"]["encoder"]["device"]
    (folder / "model.json").write_text(json.dumps(description))
    old = load_model(folder, methods=list_methods())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # what packages announce to each other
        assert np.array_equal(old.predict(sections[1].tiles).X, model.predict(sections[1].tiles).X)


@pytest.fixture
def weights(tmp_path):
    """A file of weights in the home of its maker."""
    file = tmp_path / "home" / "anna" / "w.safetensors"
    file.parent.mkdir(parents=True)
    save_file(create_encoder(ENCODER).network.state_dict(), file)
    return file


def test_a_model_names_its_local_weights_by_hash_and_finds_them_again(sections, weights, tmp_path, monkeypatch):
    model = _fitted(sections, encoder=f"test_efficientnet@{weights}")
    expected = model.predict(sections[1].tiles)
    folder = save_model(model, tmp_path / "m")
    made = read_prediction(write_prediction(expected, tmp_path / "p.h5ad")).uns["mclstexp"]
    for text in ((folder / "model.json").read_text(), json.dumps(made)):
        assert "anna" not in text
        assert f"test_efficientnet@weights:{model.seen_.encoder['weights_hash']}" in text
    loaded = load_model(folder, methods=list_methods())
    assert np.array_equal(loaded.predict(sections[1].tiles).X, expected.X), "on the machine where it was made"

    embed._named.cache_clear()
    monkeypatch.setenv("MCLSTEXP_CACHE", str(tmp_path / "another machine"))
    with pytest.raises(InputError, match="found no file that holds them: set MCLSTEXP_WEIGHTS"):
        loaded.predict(sections[1].tiles)
    (weights.parent / "a.safetensors").write_bytes(b"something else")
    monkeypatch.setenv(FOLDERS, str(weights.parent))
    assert np.array_equal(loaded.predict(sections[1].tiles).X, expected.X)


def test_the_same_weights_in_another_place_are_the_same_encoder(sections, weights, tmp_path):
    elsewhere = weights.rename(tmp_path / "w.safetensors")
    assert embed.frozen_encoder(f"test_efficientnet@{elsewhere}")["name"] == "test_efficientnet"
