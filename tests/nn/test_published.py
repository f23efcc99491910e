"""The published network: equal to what the authors' release computes, once its keys are renamed."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mclstexp.core.errors import InputError
from mclstexp.nn.losses import contrastive_loss
from mclstexp.nn.published import embed_in_batches
from mclstexp.nn.published_weights import from_weights, load_published


def _batch(folder):
    given = load_file(folder / "inputs.safetensors")
    return given["image"], given["expression"].float(), given["position"].long()


def _relative(found, expected):
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.data
@pytest.mark.slow
def test_the_release_and_the_import_agree(parity_dir):
    folder = parity_dir / "mclstexp_g171"
    expected = load_file(folder / "outputs.safetensors")
    model = load_published(folder / "state_dict.safetensors", n_positions=36)
    image, expression, position = _batch(folder)
    assert model.position.column.num_embeddings == 36
    with torch.no_grad():
        assert _relative(model.image_encoder(image), expected["image_features"]) < 1e-4
        tiles, spots = model.embed_images(image), model.embed_spots(expression, position)
        assert _relative(tiles, expected["image_embeddings"]) < 1e-4
        assert _relative(spots, expected["spot_embeddings"]) < 1e-4
        np.testing.assert_allclose(model.loss(spots, tiles), expected["loss_eval"].squeeze(), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.data
def test_three_training_steps_lose_what_the_release_loses(parity_dir):
    folder = parity_dir / "mclstexp_g171"
    expected = load_file(folder / "outputs.safetensors")
    model = load_published(folder / "state_dict.safetensors")  # evaluation mode: batch-norm statistics frozen
    image, expression, position = _batch(folder)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-4, weight_decay=1e-3)
    losses = []
    for _ in range(3):
        optimiser.zero_grad()
        loss = model.loss(model.embed_spots(expression, position), model.embed_images(image))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    np.testing.assert_allclose(losses, expected["train_losses"], rtol=1e-3)
    with torch.no_grad():
        assert _relative(model.embed_images(image), expected["image_embeddings_after"]) < 1e-2


@pytest.mark.data
def test_a_cut_table_changes_no_number(parity_dir):
    weights = load_file(parity_dir / "mclstexp_g171" / "state_dict.safetensors")
    _, expression, position = _batch(parity_dir / "mclstexp_g171")
    whole, cut = (from_weights(weights, source="weights", n_positions=n) for n in (None, int(position.max()) + 1))
    with torch.no_grad():
        assert torch.equal(whole.embed_spots(expression, position), cut.embed_spots(expression, position))


@pytest.mark.data
def test_a_checkpoint_for_other_arrays_or_of_another_kind_is_refused(parity_dir, tmp_path):
    weights = load_file(parity_dir / "mclstexp_g171" / "state_dict.safetensors")
    with pytest.raises(InputError, match=r"at least 100 rows expected .* found 64"):
        from_weights(weights, source="weights", n_positions=100)
    save_file({"layer.weight": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="published mclSTExp expected"):
        load_published(tmp_path / "other.safetensors")
    del weights["spot_projection.fc.weight"]
    with pytest.raises(InputError, match="1 tensors missing"):
        from_weights(weights, source="weights")


def test_hard_targets_on_a_worked_example():
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 3.0]])
    e = np.exp(1)
    rows = np.array([e**2 / (e**2 + 1 + e), e / (e + 2), e**3 / (e**3 + e + 1)])
    columns = np.array([e**2 / (e**2 + 1 + e), e / (e + 2), e**3 / (e + 1 + e**3)])
    expected = -(np.log(rows).mean() + np.log(columns).mean()) / 2
    np.testing.assert_allclose(contrastive_loss(logits), expected, rtol=1e-6)


def test_soft_targets_on_a_worked_example():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]]))
    targets = torch.tensor([[0.8, 0.1, 0.1], [0.3, 0.5, 0.2], [0.0, 0.0, 1.0]])
    p = np.exp(logits.numpy().astype(float))
    spots = -(targets.numpy() * np.log(p)).sum(axis=1)
    tiles = -(targets.numpy().T * np.log(p.T / p.sum(axis=0)[:, None])).sum(axis=1)
    np.testing.assert_allclose(contrastive_loss(logits, targets=targets), (spots + tiles).mean() / 2, rtol=1e-6)


def test_identity_targets_are_hard_targets():
    logits = torch.randn(7, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(contrastive_loss(logits, targets=torch.eye(7)), contrastive_loss(logits))


@pytest.mark.data
def test_export_sees_a_batch_of_consecutive_rows_only(parity_dir):
    model = load_published(parity_dir / "mclstexp_g171" / "state_dict.safetensors")
    _, expression, position = _batch(parity_dir / "mclstexp_g171")
    keys = embed_in_batches(model, expression, position, batch_size=10)
    with torch.no_grad():
        torch.testing.assert_close(keys[:10], model.embed_spots(expression[:10], position[:10]))
        torch.testing.assert_close(keys[10:], model.embed_spots(expression[10:], position[10:]))
