"""ST-Net starts at the mean, looks at tiles in eight ways, learns end to end, and takes the authors' weights."""

import numpy as np
import pytest
import torch
from torchvision.models import densenet121

from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.tiles import TileSpec
from mclstexp.methods import create
from mclstexp.methods import st_net as module
from mclstexp.sight.embed import embed_tiles
from mclstexp.sight.symmetries import turned
from slowly import slowly
from small_methods import ENCODER, small_sections

SMALL = {"encoder": ENCODER, "epochs": 2, "batch_size": 16}


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def _predict(options, sections, **fit):
    return create("st_net", **options).fit(sections[:2], **fit).predict(sections[2].tiles).X


@pytest.mark.parametrize(
    "changed",
    [{}, {"symmetries": False}, slowly({"train_encoder": True, "epochs": 1})],
    ids=["default", "upright", "tuned"],
)
def test_every_way_predicts_in_range_and_follows_the_seed(changed, sections):
    predicted = _predict(SMALL | changed, sections)
    assert np.ptp(predicted, axis=0).max() > 0
    assert not np.array_equal(_predict(SMALL | changed | {"seed": 1}, sections), predicted)


def test_without_learning_it_says_the_mean(sections):
    mean = create("mean").fit(sections[:2]).predict(sections[2].tiles).X
    np.testing.assert_allclose(_predict(SMALL | {"learning_rate": 0.0}, sections), mean, atol=1e-5)


@pytest.mark.parametrize("tuned", [False, True])
def test_a_turned_tile_is_predicted_as_an_upright_one(tuned, sections):
    options = SMALL | {"train_encoder": tuned, "epochs": 1}
    model = create("st_net", **options).fit(sections[:2])
    tiles = sections[2].tiles
    np.testing.assert_allclose(model.predict(turned(tiles, number=5)).X, model.predict(tiles).X, rtol=1e-4, atol=1e-5)
    upright = create("st_net", **options, symmetries=False).fit(sections[:2])
    assert np.abs(upright.predict(turned(tiles, number=5)).X - upright.predict(tiles).X).max() > 1e-4


def test_the_mean_over_symmetries_is_the_mean_of_predictions(sections):
    model = create("st_net", **SMALL).fit(sections[:2])
    tiles = sections[2].tiles
    ways = [torch.from_numpy(embed_tiles(turned(tiles, number=n), ENCODER)) for n in range(8)]
    with torch.no_grad():
        expected = torch.stack([model.model_.read(way) for way in ways]).mean(dim=0)
    np.testing.assert_allclose(model.predict(tiles).X, expected, rtol=1e-4, atol=1e-5)


def test_epochs_are_chosen_on_held_out_training_sections(sections, monkeypatch):
    monkeypatch.setattr(module, "EPOCHS", (1, 3))
    assert create("st_net", **SMALL | {"epochs": None}).fit(sections[:2]).epochs_ in (1, 3)
    assert create("st_net", **SMALL | {"epochs": None}).fit(sections[:1]).epochs_ == module.USUAL_EPOCHS


def test_a_killed_fit_goes_on_to_the_same_numbers(sections, tmp_path, monkeypatch):
    straight = _predict(SMALL | {"epochs": 4}, sections)
    train = module.fit_st_net

    class Killed(BaseException):
        pass

    def dies(*args, **kwargs):
        train(*args, **kwargs)
        raise Killed

    monkeypatch.setattr(module, "fit_st_net", dies)
    with pytest.raises(Killed):
        _predict(SMALL | {"epochs": 4}, sections, workdir=tmp_path)
    assert list(tmp_path.rglob("*.safetensors"))
    monkeypatch.setattr(module, "fit_st_net", train)
    np.testing.assert_array_equal(_predict(SMALL | {"epochs": 4}, sections, workdir=tmp_path), straight)


@pytest.mark.slow
def test_a_checkpoint_of_the_authors_predicts_in_the_space(tmp_path):
    sections = small_sections(2, spec=TileSpec(64, 2.0), n_spots_side=3)
    torch.manual_seed(0)
    theirs = densenet121(num_classes=30).eval()
    torch.save({"model": theirs.state_dict(), "optim": {"state": {}}}, tmp_path / "epoch.pt")
    options = {"checkpoint": str(tmp_path / "epoch.pt"), "symmetries": False}
    space = ExpressionSpace(sections[0].genes)
    model = create("st_net", **options).fit(sections[:1], space=space)
    tiles = sections[1].tiles
    pixels = torch.from_numpy(np.stack([tiles.read(i) for i in range(len(tiles))])).permute(0, 3, 1, 2)
    backbone = model.model_.backbone
    with torch.no_grad():
        share = theirs((pixels / 255 - backbone.mean) / backbone.std).double().exp()
    expected = np.log10(1 + 1e4 * (share / share.sum(dim=1, keepdim=True)).numpy())
    predicted = model.predict(tiles).X
    np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-5)
    (tmp_path / "epoch.pt").unlink()
    again = create("st_net", **options)
    again.space_, again.spec_, again.provenance_ = model.space_, model.spec_, model.provenance_
    again._set_state(model._get_state())
    np.testing.assert_array_equal(again.predict(tiles).X, predicted)
    torch.save(theirs.state_dict(), tmp_path / "epoch.pt")
    with pytest.raises(InputError, match="a panel of 30 genes"):
        create("st_net", **options).fit(sections[:1], space=ExpressionSpace(sections[0].genes[:9]))
    with pytest.raises(InputError, match='axis "spot" expected'):
        create("st_net", **options).fit(sections[:1], space=ExpressionSpace(sections[0].genes, axis="gene"))


def test_impossible_options_are_refused():
    with pytest.raises(InputError, match="epochs must be at least 1, found 0"):
        create("st_net", epochs=0)
