"""BLEEP's network and loss: equal to the release once its keys are renamed, and to a worked example."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from mclstexp.core.errors import InputError
from mclstexp.nn.bleep import BleepModel, bleep_from_weights, load_bleep
from mclstexp.nn.image_encoders import create_encoder
from mclstexp.nn.losses import contrastive_loss, soft_targets


def _relative(found, expected):
    return float(((found - expected).abs().max() / expected.abs().max()).detach())


@pytest.mark.data
def test_the_release_and_the_import_agree(parity_dir):
    folder = parity_dir / "bleep_small"
    given, expected = (load_file(folder / f"{name}.safetensors") for name in ("inputs", "outputs"))
    model = bleep_from_weights(load_file(folder / "state_dict.safetensors"), source="weights", encoder=None)
    images, spots = model.embed_images(given["image_features"].float()), model.embed_spots(given["expression"].float())
    assert _relative(images, expected["image_embeddings"]) < 1e-4
    assert _relative(spots, expected["spot_embeddings"]) < 1e-4
    loss = model.loss(images, spots)
    loss.backward()
    np.testing.assert_allclose(loss.item(), expected["loss"].item(), rtol=1e-4)
    assert _relative(model.image_projection.projection.weight.grad, expected["grad_image_projection"]) < 1e-4


def test_soft_targets_on_a_worked_example():
    images, spots = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    # V Vᵀ = [[1, 0], [0, 1]], S Sᵀ = [[2, 1], [1, 1]]: half the sum over 0.5 is [[3, 1], [1, 2]]
    expected = np.exp([[3.0, 1.0], [1.0, 2.0]])
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(soft_targets(images, spots, temperature=0.5), expected, rtol=1e-6)


def test_the_gradient_passes_through_the_targets_too():
    images = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    spots = torch.randn(5, 4, generator=torch.Generator().manual_seed(1))
    targets = soft_targets(images, spots, temperature=1.0)
    (through,) = torch.autograd.grad(contrastive_loss(spots @ images.T, targets=targets), images)
    (stopped,) = torch.autograd.grad(contrastive_loss(spots @ images.T, targets=targets.detach()), images)
    assert not torch.allclose(through, stopped)


def test_it_has_the_published_number_of_parameters():
    model = BleepModel(nn.Identity(), n_features=2048, n_genes=3467)
    heads = [n * 256 + 256 + 256 * 256 + 256 + 2 * 256 for n in (2048, 3467)]
    assert sum(p.numel() for p in model.parameters()) == sum(heads)


def test_embeddings_have_unit_length_where_cosines_are_compared():
    features, expression = torch.randn(6, 9), torch.randn(6, 7)
    model = BleepModel(nn.Identity(), n_features=9, n_genes=7, dim=16, unit_length=True).eval()
    for rows in (model.embed_images(features), model.embed_spots(expression)):
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(6))
    model.unit_length = False
    torch.testing.assert_close(model.embed_images(features).norm(dim=1), torch.full((6,), 4.0), rtol=1e-3, atol=0)


def test_a_checkpoint_of_the_training_script_is_taken_whole(tmp_path):
    encoder = create_encoder("random:test_efficientnet")
    theirs = BleepModel(encoder, n_features=encoder.dim, n_genes=7, dim=16).eval()
    names = ((".norm.", ".layer_norm."), ("backbone.network.", "image_encoder.model."))
    weights = {}
    for name, tensor in theirs.state_dict().items():
        if name not in ("backbone.mean", "backbone.std"):
            theirs_name = name if name.startswith("backbone") else name.replace(*names[0])
            weights[f"module.{theirs_name.replace(*names[1])}"] = tensor
    torch.save(weights, tmp_path / "best.pt")
    model = load_bleep(tmp_path / "best.pt", encoder="test_efficientnet")
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(model.embed_images(images), theirs.embed_images(images))
    with pytest.raises(InputError, match="published BLEEP with resnet18 expected"):
        load_bleep(tmp_path / "best.pt", encoder="resnet18")
    torch.save({"layer.weight": torch.zeros(2, 2)}, tmp_path / "other.pt")
    with pytest.raises(InputError, match="found one without"):
        load_bleep(tmp_path / "other.pt")
