"""Image encoders: pixels to features, by a name that settles architecture, weights and preprocessing."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from mclstexp.core.errors import InputError
from mclstexp.nn.local_weights import FOLDERS, PREFIX, remember_weights, weights_files
from mclstexp.nn.pretrained import build_network


@final
class ImageEncoder(nn.Module):
    """A network from RGB tiles to features; its weights know their own preprocessing.

    Parameters
    ----------
    network
        A timm network without classifier: normalised images to pooled features.
    name
        The name it was made from.

    Attributes
    ----------
    dim
        Number of features.
    size_px
        The only tile size it takes; None where any will do.
    mean, std
        (3, 1, 1) of red, green and blue on the scale 0–1, as the weights were trained.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, *, name: str) -> None:
        super().__init__()
        config: dict[str, Any] = network.pretrained_cfg  # type: ignore[assignment]
        self.network = network
        self.name = name
        # timm: the features that a head would see are not always the last block's
        self.dim = int(getattr(network, "head_hidden_size", None) or network.num_features)  # type: ignore[arg-type]
        fixed = config.get("fixed_input_size", False) and not getattr(network, "dynamic_img_size", False)
        self.size_px: int | None = config["input_size"][-1] if fixed else None
        self.register_buffer("mean", torch.tensor(config["mean"]).reshape(3, 1, 1))
        self.register_buffer("std", torch.tensor(config["std"]).reshape(3, 1, 1))

    @property
    def weights_hash(self) -> str:
        """Hash of all weights and of the preprocessing; equal hashes mean equal encoders."""
        digest = hashlib.sha256()
        for name, tensor in self.state_dict().items():
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()[:16]

    def forward(
        self, images: UInt8[Tensor, "n 3 size_px size_px"] | Float[Tensor, "n 3 size_px size_px"]
    ) -> Float[Tensor, "n dim"]:
        """Compute features.

        Parameters
        ----------
        images
            RGB, 0–255 as uint8 or 0–1 as floating point.

        Returns
        -------
        (n, dim) float32 pooled features.
        """
        if self.size_px is not None and images.shape[-1] != self.size_px:
            msg = f"tiles of {self.size_px} px expected by {self.name}, found {images.shape[-1]} px: change the spec"
            raise InputError(msg)
        scaled = images.float() / 255 if images.dtype == torch.uint8 else images
        return self.network((scaled - self.mean) / self.std).float()


def create_encoder(name: str) -> ImageEncoder:
    """Create an image encoder with its weights, in evaluation mode.

    Parameters
    ----------
    name
        What to create:

        - a timm name (``"densenet121"``): pretrained, from the hub or its cache;
        - ``"efficientnet_lite0"``: ImageNet weights that are installed with this package;
        - ``"colour"``: no network, six numbers of how a tile is stained; see `nn.colour`;
        - ``"hf-hub:OWNER/MODEL"``: a timm model on the hub;
        - ``"NAME@FILE"``: a timm architecture with weights of a local .safetensors or .pt file;
        - ``"NAME@weights:HASH"``: the same in a saved model, which names no path; see `nn.local_weights`;
        - ``"random:NAME"``: a timm architecture with random weights of a fixed seed. It has learnt nothing: for
          tests and for timing an architecture.

    Raises
    ------
    InputError
        If the name is unknown, the weights cannot be had, or they do not fit.
    """
    architecture, _, file = name.partition("@")
    if file.startswith(PREFIX) and not name.startswith("hf-hub:"):
        return _by_hash(architecture, file.removeprefix(PREFIX))
    encoder = ImageEncoder(build_network(name), name=name)
    if file and not name.startswith("hf-hub:"):
        remember_weights(encoder.weights_hash, Path(file))
    return encoder


def _by_hash(architecture: str, weights_hash: str) -> ImageEncoder:
    for file in weights_files(weights_hash):
        with suppress(InputError):  # a file of other weights, or none any more
            encoder = ImageEncoder(build_network(f"{architecture}@{file}"), name=architecture)
            if encoder.weights_hash == weights_hash:
                return encoder
    msg = (
        f"weights {weights_hash} of {architecture} expected on this machine, found no file that holds them: "
        f"set {FOLDERS} to that file or its folder"
    )
    raise InputError(msg)


def untrained_encoder(name: str) -> ImageEncoder:
    """Create the architecture behind a name of `create_encoder`, to be filled with weights saved elsewhere.

    Nothing is fetched, except that a model of the hub says only there (or in its cache) what it is made of.
    """
    if name == "colour" or name.startswith(("random:", "hf-hub:")):
        return create_encoder(name)
    architecture = "tf_efficientnet_lite0" if name == "efficientnet_lite0" else name.partition("@")[0]
    return create_encoder(f"random:{architecture}")
