"""HisToGene: the released weights as a method, attention over all tiles asked, what it refuses."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mclstexp import load_model, save_model
from mclstexp.core.errors import InputError
from mclstexp.methods import create
from small_methods import ENCODER, small_sections

SMALL = {"encoder": ENCODER, "epochs": 2, "dim": 8, "depth": 1, "n_heads": 2, "head_dim": 4, "mlp_dim": 16}


@pytest.fixture(scope="module")
def sections():
    return small_sections(3)


def _checkpoint(path, *, n_genes, patch_px=16):
    """Random weights under the keys of the release."""
    generator, block = torch.Generator().manual_seed(0), "vit.transformer.layers.0."
    shapes = {
        "patch_embedding.weight": (8, 3 * patch_px**2),
        "patch_embedding.bias": (8,),
        "x_embed.weight": (64, 8),
        "y_embed.weight": (64, 8),
        "gene_head.0.weight": (8,),
        "gene_head.0.bias": (8,),
        "gene_head.1.weight": (n_genes, 8),
        "gene_head.1.bias": (n_genes,),
        f"{block}0.norm.weight": (8,),
        f"{block}0.norm.bias": (8,),
        f"{block}0.fn.to_qkv.weight": (24, 8),
        f"{block}0.fn.to_out.0.weight": (8, 8),
        f"{block}0.fn.to_out.0.bias": (8,),
        f"{block}1.norm.weight": (8,),
        f"{block}1.norm.bias": (8,),
        f"{block}1.fn.net.0.weight": (16, 8),
        f"{block}1.fn.net.0.bias": (16,),
        f"{block}1.fn.net.3.weight": (8, 16),
        f"{block}1.fn.net.3.bias": (8,),
    }
    save_file({name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}, path)
    return str(path)


def _imported(path):
    return create("his_to_gene", preset="published", **SMALL, patch_px=16, checkpoint=path)


def test_imported_weights_are_kept_as_they_are(sections, tmp_path):
    path = _checkpoint(tmp_path / "released.safetensors", n_genes=30)
    one, other = (_imported(path).fit(sections[i : i + 1]) for i in (0, 1))
    predicted = one.predict(sections[2].tiles).X
    np.testing.assert_array_equal(other.predict(sections[2].tiles).X, predicted)
    loaded = load_model(save_model(one, tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict(sections[2].tiles).X, predicted)


def test_a_checkpoint_asks_for_its_network_and_its_panel(sections, tmp_path):
    path = _checkpoint(tmp_path / "released.safetensors", n_genes=7)
    with pytest.raises(InputError, match="of another shape"):
        _imported(path).fit(sections[:1])
    with pytest.raises(InputError, match='give preset="published" with it'):
        create("his_to_gene", checkpoint=path)


def test_a_prediction_depends_on_all_tiles_asked(sections):
    model, tiles = create("his_to_gene", **SMALL).fit(sections[:2]), sections[2].tiles
    whole, half = model.predict(tiles).X, model.predict(tiles.take(np.arange(10))).X
    assert np.abs(whole[:10] - half).max() > 1e-4


def test_without_learning_it_predicts_about_the_mean(sections):
    model = create("his_to_gene", **SMALL | {"epochs": 1}, learning_rate=0.0).fit(sections[:2])
    mean = create("mean").fit(sections[:2]).predict(sections[2].tiles).X
    spread = np.concatenate([model.space_(s.counts) for s in sections[:2]]).std(axis=0)
    assert np.abs((model.predict(sections[2].tiles).X - mean) / spread).mean() < 1


def test_a_larger_array_than_the_tables_is_refused(sections):
    with pytest.raises(InputError, match="set n_positions to 10 or more"):
        create("his_to_gene", **SMALL, n_positions=2).fit(sections[:2])


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("dim", 0, "dim must be at least 1, found 0"),
        ("optimiser", "sgd", "must be 'adamw' or 'adam', found 'sgd'"),
        ("image", "words", "must be 'features' or 'pixels', found 'words'"),
    ],
)
def test_options_that_cannot_be_are_refused(option, value, message):
    with pytest.raises(InputError, match=message):
        create("his_to_gene", **{option: value})
