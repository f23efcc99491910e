"""stEnTrans's training as released: one pair of maps a gene, all epochs, nothing left out."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from mclstexp.nn.stentrans import ReleasedStEnTrans
from mclstexp.training.progress import epoch_progress


def fit_released(
    network: ReleasedStEnTrans,
    coarse: Float[Tensor, "n_genes height width"],
    fine: Float[Tensor, "n_genes fine_height fine_width"],
    there: Bool[Tensor, "fine_height fine_width"],
    *,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
) -> None:
    """Teach the network to make fine maps of coarse ones; torch's random numbers say in which order.

    Parameters
    ----------
    network
        Fitted in place.
    coarse, fine
        Each gene's maps, 0 where no spot is.
    there
        Where one is in the fine map.
    n_epochs, batch_size, learning_rate
        Of Adam, whose other numbers are the release's.
    """
    adam = torch.optim.Adam(network.parameters(), learning_rate, betas=(0.5, 0.6), eps=1e-6)
    with epoch_progress("stentrans", n_epochs) as show:
        for epoch in range(n_epochs):
            total = 0.0
            for rows in torch.randperm(len(coarse)).split(batch_size):
                loss = released_error(released_told(network.train(), coarse[rows]), fine[rows], there)
                adam.zero_grad()
                loss.backward()
                adam.step()
                total += loss.item() * len(rows) / len(coarse)
            show(epoch + 1, total)
    network.eval()


def released_told(
    network: ReleasedStEnTrans, maps: Float[Tensor, "n_genes height width"]
) -> Float[Tensor, "n_genes fine_height fine_width"]:
    """Return maps twice as fine; zeros are added right and below, a whole patch of them where none are needed."""
    height, width = maps.shape[1:]
    padded = functional.pad(maps, (0, network.patch - width % network.patch, 0, network.patch - height % network.patch))
    return functional.pixel_shuffle(network(padded[:, None]), 2)[:, 0, : 2 * height, : 2 * width]


def released_error(
    found: Float[Tensor, "n_genes height width"],
    truth: Float[Tensor, "n_genes fine_height fine_width"],
    there: Bool[Tensor, "fine_height fine_width"],
) -> Float[Tensor, ""]:
    """Return the mean squared error in which pixels without a spot count as told rightly."""
    found = found[:, : truth.shape[1], : truth.shape[2]]
    return ((found - truth) * there).square().mean()
