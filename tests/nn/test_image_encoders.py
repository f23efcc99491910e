"""Encoders know their preprocessing, their length and their weights."""

import pytest
import torch

from mclstexp.core.errors import InputError
from mclstexp.nn.image_encoders import create_encoder

IMAGES = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def tiny():
    return create_encoder("random:test_efficientnet")


@pytest.mark.parametrize("architecture", ["test_efficientnet", "test_resnet", "test_convnext", "test_mambaout"])
def test_the_features_have_the_announced_length(architecture):
    encoder = create_encoder(f"random:{architecture}")
    with torch.inference_mode():
        features = encoder(IMAGES)
    assert features.shape == (2, encoder.dim)
    assert features.dtype == torch.float32


def test_a_head_behind_a_hidden_layer_is_counted_in():
    encoder = create_encoder("random:tf_mobilenetv3_small_minimal_100")
    with torch.inference_mode():
        assert encoder(IMAGES).shape == (2, encoder.dim) == (2, 1024)


def test_bytes_and_floats_give_the_same_features(tiny):
    with torch.inference_mode():
        assert torch.equal(tiny(IMAGES), tiny(IMAGES / 255))


def test_images_are_normalised_as_the_weights_were_trained(tiny):
    grey = tiny.mean.expand(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(tiny(grey), tiny.network(torch.zeros(1, 3, 32, 32)))


def test_densenet_features_come_after_the_last_relu():
    encoder = create_encoder("random:densenet121")
    with torch.inference_mode():
        features = encoder(IMAGES)
    assert features.shape == (2, 1024)
    assert features.min() == 0
    assert features.max() > 0


def test_random_weights_are_always_the_same_and_leave_the_generator_alone(tiny):
    state = torch.get_rng_state()
    again = create_encoder("random:test_efficientnet")
    assert torch.equal(torch.get_rng_state(), state)
    assert again.weights_hash == tiny.weights_hash


def test_the_hash_follows_weights_and_preprocessing():
    encoder = create_encoder("random:test_efficientnet")
    before = encoder.weights_hash
    with torch.no_grad():
        next(encoder.parameters()).view(-1)[0] += 1e-3
    moved = encoder.weights_hash
    encoder.mean += 0.1
    assert len({before, moved, encoder.weights_hash}) == 3


def test_a_network_of_one_tile_size_says_so():
    encoder = create_encoder("random:vit_tiny_patch16_224")
    assert encoder.size_px == 224
    with pytest.raises(InputError, match="tiles of 224 px expected by random:vit_tiny_patch16_224, found 32 px"):
        encoder(IMAGES)
