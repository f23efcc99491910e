"""What moves a method's numbers beside its options and data, on the machine where it runs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from mclstexp.core.method import Method
from mclstexp.nn.device import torch_device
from mclstexp.sight.embed import frozen_encoder


def numerics(method: Method, *, encoder: str | None = None, tuned: bool = False, **more: Any) -> dict[str, str]:
    """Say what a method's numbers depend on here; see `Method._numerics`.

    Parameters
    ----------
    method
        The method; of its options ``checkpoint`` and ``device`` are looked at, where it has them.
    encoder
        The image encoder whose features it uses, or starts from.
    tuned
        Whether the encoder is fitted too: once it is, the weights it started from are not looked for.
    more
        Anything else, as text; None is left out.

    Returns
    -------
    "encoder", "weights_hash", "precision" and "device" of frozen features; "checkpoint_sha256" where one is taken;
    "networks_on", the device of the method's own networks.
    """
    said = {name: str(value) for name, value in more.items() if value is not None}
    checkpoint, device = getattr(method, "checkpoint", ""), getattr(method, "device", None)
    if checkpoint and Path(checkpoint).is_file():
        with Path(checkpoint).open("rb") as file:
            said["checkpoint_sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    if encoder is not None and not checkpoint and not (tuned and method.is_fitted):
        sight = frozen_encoder(encoder)
        said |= {"encoder": sight.pop("name"), **sight}
    if device is not None:
        said["networks_on"] = torch_device(device).type
    return said
