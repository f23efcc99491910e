"""Stain numbers: scikit-image's, whatever the precision."""

import numpy as np
import torch
from skimage.color import rgb2hed

from mclstexp.nn.image_encoders import create_encoder, untrained_encoder


def _images():
    return np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)


def test_they_are_those_of_scikit_image():
    images = _images()
    found = create_encoder("colour")(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    density = np.log(np.maximum(images / 255, 1e-6)) / np.log(1e-6)
    stains = np.concatenate([rgb2hed(images)[..., :2], density.mean(axis=-1, keepdims=True)], axis=-1)
    expected = np.concatenate([stains.mean(axis=(1, 2)), stains.std(axis=(1, 2))], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_white_has_no_stain_and_lower_precision_moves_nothing():
    encoder = create_encoder("colour")
    white = torch.full((1, 3, 4, 4), 255, dtype=torch.uint8)
    assert encoder(white).abs().max() == 0
    images = torch.from_numpy(_images()).permute(0, 3, 1, 2)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(encoder(images), create_encoder("colour")(images))


def test_it_has_nothing_to_train_and_one_hash():
    assert not list(create_encoder("colour").parameters())
    assert create_encoder("colour").weights_hash == untrained_encoder("colour").weights_hash
    assert create_encoder("colour").size_px is None
