"""Where torch computes."""

from __future__ import annotations

import torch


def torch_device(name: str) -> torch.device:
    """Return the device of an option `device`: "auto" is a GPU where there is one, else the CPU."""
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
