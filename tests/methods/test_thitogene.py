"""THItoGene as a method: pictures of two kinds, the authors' weights, what is seen and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mclstexp import load_model, save_model
from mclstexp.core.errors import InputError
from mclstexp.core.expression import ExpressionSpace
from mclstexp.methods import create
from mclstexp.nn.slide_inputs import SlideInputs
from mclstexp.nn.thitogene import CapsuleEncoder
from small_methods import ENCODER, small_methods, small_sections

TINY = next(method.options for method in small_methods() if method.label == "thitogene")


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def test_the_preset_is_the_published_network():
    model = create("thitogene", preset="published")
    model.space_ = ExpressionSpace(tuple(f"g{n}" for n in range(785)), axis="gene")
    model.sizes_ = model._sizes(n_positions=64)
    with torch.device("meta"):
        network = model._build(None)
    assert sum(p.numel() for p in network.parameters()) == 63_586_712
    assert network.image.scale == 1
    assert (model.epochs, model.learning_rate, model.optimiser) == (200, 1e-5, "adam")


def test_genes_are_learnt_with_mean_0_and_spread_1_and_scaled_back(sections):
    model = create("thitogene", **TINY | {"dropout": 0.0, "epochs": 1, "learning_rate": 0.0, "n_models": 1})
    model.fit(sections[:2])
    expression = np.concatenate([model.space_(section.counts) for section in sections[:2]])
    np.testing.assert_allclose(model.mean_, expression.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(model.spread_, expression.std(axis=0), rtol=1e-4)
    inputs = model._inputs(sections[2].tiles)
    with torch.inference_mode():
        standardised = model.models_[0](inputs)
    expected = standardised.numpy() * expression.std(axis=0) + expression.mean(axis=0)
    np.testing.assert_allclose(model.predict(sections[2].tiles).X, expected, rtol=1e-4, atol=1e-5)


def test_models_of_several_seeds_are_averaged(sections):
    options = TINY | {"n_models": 1}
    both = create("thitogene", **TINY).fit(sections[:2])
    each = [create("thitogene", **options | {"seed": seed}).fit(sections[:2]) for seed in (0, 1)]
    tiles = sections[2].tiles
    mean = np.mean([model.predict(tiles).X for model in each], axis=0)
    np.testing.assert_allclose(both.predict(tiles).X, mean, rtol=1e-5, atol=1e-6)


def test_one_tile_alone_and_tiles_far_apart_are_predicted(sections):
    model, tiles = create("thitogene", **TINY).fit(sections[:2]), sections[2].tiles
    assert np.isfinite(model.predict(tiles.take([3])).X).all()
    assert np.isfinite(model.predict(tiles.take([0, 23])).X).all()
    inputs = model._inputs(tiles.take([0, 23]))
    assert inputs.present.sum(dim=1).tolist() == [1, 1]  # however far: the graph is not pruned


def test_places_tell_tiles_of_equal_pictures_apart(sections):
    model = create("thitogene", **TINY | {"position_spread": 1.0}).fit(sections[:2])
    tiles = sections[2].tiles
    same = replace(tiles, xy=np.repeat(tiles.xy[:1], len(tiles), axis=0))
    assert model.predict(same).X.std(axis=0).max() > 1e-3


def test_coordinates_beyond_the_tables_are_refused(sections):
    model, tiles = create("thitogene", **TINY).fit(sections[:2]), sections[2].tiles
    with pytest.raises(InputError, match=r"below n_positions \(64\) expected by the position tables, found 10\d: set"):
        model.predict(replace(tiles, array_xy=tiles.array_xy + 100))
    with pytest.raises(InputError, match=r"array coordinates .* expected"):
        model.predict(replace(tiles, array_xy=None))


@pytest.mark.data
def test_a_checkpoint_of_the_authors_predicts_as_the_release_does(sections, parity_dir, tmp_path):
    folder = parity_dir / "thitogene_small"
    given, expected = load_file(folder / "inputs.safetensors"), load_file(folder / "outputs.safetensors")
    model = create("thitogene", preset="published", checkpoint=str(folder / "state_dict.safetensors"))
    model.fit(sections[:2], space=ExpressionSpace(sections[0].genes[:9]))
    near = given["adjacency"] > 0
    index = (~near).int().argsort(dim=1, stable=True)[:, :7]
    network = model.models_[0]
    with torch.no_grad():
        inputs = SlideInputs(given["patches"], given["centers"], index, near.gather(1, index))
        found = network.decode(network.image.capsules(given["patches"].float()).flatten(1), inputs)
    assert (found - expected["prediction"]).abs().max() < 1e-4 * expected["prediction"].abs().max()
    predicted = model.predict(sections[2].tiles).X
    np.testing.assert_array_equal(load_model(save_model(model, tmp_path / "m")).predict(sections[2].tiles).X, predicted)
    with pytest.raises(InputError, match=r"a panel of 9 genes, .* expected, found 30"):
        model.fit(sections[:2])


def test_pixels_of_any_spec_are_shrunk_to_the_published_size(sections):
    model = create("thitogene", **TINY | {"image": "pixels", "epochs": 1, "n_models": 1}).fit(sections[:2])
    assert isinstance(model.models_[0].image, CapsuleEncoder)
    assert model._inputs(sections[2].tiles).image.shape == (24, 3, 112, 112)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": -1}, "depth must be at least 0, found -1"),
        ({"n_capsules": 0}, "n_capsules must be at least 1, found 0"),
        ({"optimiser": "sgd"}, "optimiser must be 'adamw' or 'adam', found 'sgd'"),
        ({"image": "sketch"}, "image must be 'features' or 'pixels', found 'sketch'"),
        ({"checkpoint": "weights.ckpt"}, 'give preset="published" with it'),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        create("thitogene", **options)


def test_a_section_of_one_spot_cannot_be_normalised_in_training(sections):
    with pytest.raises(InputError, match="at least 2 spots"):
        create("thitogene", encoder=ENCODER, image="pixels").fit([sections[0], sections[1].take([0])])
