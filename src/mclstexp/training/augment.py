"""Changes of a tile that leave its expression as it is.

torchvision is imported where it is called: it takes as long as torch itself, and most runs augment nothing.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def symmetries(images: UInt8[Tensor, "n 3 size size"]) -> UInt8[Tensor, "n 3 size size"]:
    """Turn and mirror each tile into a random one of the 8 symmetries of the square: tissue has no upright."""
    turned = torch.stack(
        [torch.rot90(image, int(k), (1, 2)) for image, k in zip(images, _dice(images, 4), strict=True)]
    )
    mirrored = _dice(images, 2).bool().to(images.device)
    turned[mirrored] = turned[mirrored].flip(-1)
    return turned


def stain_jitter(images: UInt8[Tensor, "n 3 size size"]) -> UInt8[Tensor, "n 3 size size"]:
    """Vary brightness, contrast, saturation and hue a little, tile by tile, as staining does between sections."""
    from torchvision.transforms import v2  # noqa: PLC0415

    jitter = v2.ColorJitter(brightness=0.15, contrast=0.15, saturation=0.15, hue=0.02)
    return torch.stack([jitter(image) for image in images])


def as_published(images: UInt8[Tensor, "n 3 size size"]) -> Float[Tensor, "n 3 size size"]:
    """Augment as the published mclSTExp does: jitter of 0.5, mirror, any rotation with black corners, then [0, 1]."""
    from torchvision.transforms import v2  # noqa: PLC0415

    change = v2.Compose(
        [
            v2.ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5),
            v2.RandomHorizontalFlip(0.5),
            v2.RandomRotation(180.0),  # ± 180°
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    return torch.stack([change(image) for image in images])


def as_hist2st(images: UInt8[Tensor, "n 3 size size"]) -> UInt8[Tensor, "n 3 size size"]:
    """Augment as the published Hist2ST does: grey, rotated by up to 90° with black corners, mirrored.

    One throw of the dice for all tiles together, as published: a section is turned as a whole.
    """
    from torchvision.transforms import v2  # noqa: PLC0415

    return v2.Compose([v2.RandomGrayscale(0.1), v2.RandomRotation(90.0), v2.RandomHorizontalFlip(0.2)])(images)


def _dice(images: Tensor, sides: int) -> Tensor:
    return torch.randint(sides, (len(images),))
