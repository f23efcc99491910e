"""BLEEP learns from frozen features or end to end, retrieves what was measured, and takes the authors' weights."""

import numpy as np
import pytest
import torch

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.methods import bleep as module
from mclstexp.methods import create
from mclstexp.nn.bleep import BleepModel
from mclstexp.nn.image_encoders import create_encoder
from slowly import slowly
from small_methods import ENCODER, small_sections

SMALL = {"encoder": ENCODER, "epochs": 2, "n_components": 8, "dim": 8, "batch_size": 16, "k": 5}


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def _predict(options, sections, **fit):
    return create("bleep", **options).fit(sections[:2], **fit).predict(sections[2].tiles).X


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"n_components": None, "standardise": False, "unit_length": False, "temperature": 1.0},
        {"weights": "gaussian"},
        slowly({"train_encoder": True, "epochs": 1}),
        slowly({"train_encoder": True, "epochs": 1, "n_components": None}),
    ],
    ids=["default", "published heads", "gaussian", "end to end", "end to end as published"],
)
def test_every_way_predicts_in_range_and_follows_the_seed(changed, sections):
    predicted = _predict(SMALL | changed, sections)
    assert np.ptp(predicted, axis=0).max() > 0
    assert not np.array_equal(_predict(SMALL | changed | {"seed": 1}, sections), predicted)


def test_retrieval_returns_means_of_measured_expression(sections):
    model = create("bleep", **SMALL | {"k": 1}).fit(sections[:2])
    measured = np.concatenate([model.space_(section.counts) for section in sections[:2]])
    for row in model.predict(sections[2].tiles).X:
        assert np.abs(measured - row).max(axis=1).min() < 1e-6
    everything = create("bleep", **SMALL | {"k": 999}).fit(sections[:2]).predict(sections[2].tiles).X
    np.testing.assert_allclose(everything, np.tile(measured.mean(axis=0), (len(everything), 1)), rtol=1e-4, atol=1e-6)


def test_fitting_the_encoder_changes_its_weights(sections):
    model = create("bleep", **SMALL | {"train_encoder": True, "epochs": 1}).fit(sections[:2])
    before = create_encoder(ENCODER).state_dict()
    after = model.model_.backbone.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_epochs_are_chosen_on_held_out_training_sections(sections, monkeypatch):
    monkeypatch.setattr(module, "EPOCHS", (1, 3))
    model = create("bleep", **SMALL | {"epochs": None}).fit(sections[:2])
    assert model.epochs_ in (1, 3)
    assert create("bleep", **SMALL | {"epochs": None}).fit(sections[:1]).epochs_ == module.USUAL_EPOCHS


def test_a_killed_fit_goes_on_to_the_same_numbers(sections, tmp_path, monkeypatch):
    straight = _predict(SMALL | {"epochs": 4}, sections)
    train = module.fit_bleep

    class Killed(BaseException):
        pass

    def dies(*args, **kwargs):
        train(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(module, "fit_bleep", dies)
    with pytest.raises(Killed):
        _predict(SMALL | {"epochs": 4}, sections, workdir=tmp_path)
    assert list(tmp_path.rglob("*.safetensors"))
    monkeypatch.setattr(module, "fit_bleep", train)
    np.testing.assert_array_equal(_predict(SMALL | {"epochs": 4}, sections, workdir=tmp_path), straight)


def test_a_checkpoint_of_the_authors_makes_a_model_that_is_kept(sections, tmp_path):
    encoder = create_encoder(ENCODER)
    torch.manual_seed(0)
    theirs = BleepModel(encoder, n_features=encoder.dim, n_genes=30, dim=16).eval()
    names = (("backbone.network.", "image_encoder.model."), ("projection.norm.", "projection.layer_norm."))
    weights = {
        name.replace(*names[0]).replace(*names[1]): tensor
        for name, tensor in theirs.state_dict().items()
        if name not in ("backbone.mean", "backbone.std")
    }
    torch.save(weights, tmp_path / "best.pt")
    options = {"checkpoint": str(tmp_path / "best.pt"), "encoder": "test_efficientnet", "k": 3, "weights": "gaussian"}
    space = ExpressionSpace(sections[0].genes)
    model = create("bleep", **options).fit(sections[:2], space=space)
    torch.testing.assert_close(model.model_.image_projection.fc.weight, theirs.image_projection.fc.weight)
    keys = theirs.embed_spots(torch.from_numpy(space(sections[0].counts))).detach().numpy()
    np.testing.assert_allclose(model.bank_.keys[: len(keys)], keys, rtol=1e-4, atol=1e-5)
    predicted = model.predict(sections[2].tiles).X
    (tmp_path / "best.pt").unlink()
    again = create("bleep", **options)
    again.space_, again.spec_, again.provenance_ = model.space_, model.spec_, model.provenance_
    again._set_state(model._get_state())
    np.testing.assert_array_equal(again.predict(sections[2].tiles).X, predicted)
    torch.save(weights, tmp_path / "best.pt")
    with pytest.raises(InputError, match="a panel of 30 genes"):
        create("bleep", **options).fit(sections[:2], space=ExpressionSpace(sections[0].genes[:9]))


@pytest.mark.parametrize(
    ("option", "sentence"), [("k", "k must be at least 1, found 0"), ("temperature", "temperature must be positive")]
)
def test_impossible_options_are_refused(option, sentence):
    with pytest.raises(InputError, match=sentence):
        create("bleep", **{option: 0})
