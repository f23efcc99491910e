"""Pre-training a graph encoder without labels, one section's graph after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from mclstexp.nn.infomax import Discriminator, infomax_loss
from mclstexp.training.loop import TrainingOptions
from mclstexp.training.progress import train_shown


def fit_infomax(
    encoder: nn.Module,
    nodes: Float[Tensor, "n_spots in_dim"],
    near: tuple[Int[Tensor, "n_spots n_nodes"], Bool[Tensor, "n_spots n_nodes"]],
    *,
    sections: Sequence[Int[Tensor, " _"]],
    options: TrainingOptions,
    workdir: Path | None = None,
    label: str = "infomax",
) -> list[dict[str, float]]:
    """Fit an encoder by deep graph infomax (Veličković et al., arXiv 1809.10341); the discriminator is thrown away.

    A step takes one section whole. It is corrupted as in the paper: the graph stays, the rows of the section's
    features are permuted.

    Parameters
    ----------
    encoder
        What is fitted: (features of each node's neighbours, whether they are there) → embeddings.
    nodes
        Features of all spots.
    near
        For each spot the rows of itself and its neighbours, and whether they are there.
    sections
        For each section the rows of its spots.
    options
        How; its `batch_size` counts sections and is always 1.
    workdir, label
        See `train`.

    Returns
    -------
    The history of `train`.
    """
    index, present = near
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(options.seed)
        dim = encoder(nodes[index[:1]], present[:1]).shape[1]
        both = nn.ModuleDict({"encoder": encoder, "discriminator": Discriminator(dim).to(nodes.device)})

    def step(numbers: Tensor) -> Tensor:
        rows = sections[int(numbers[0])]
        source = torch.arange(len(nodes), device=nodes.device)
        source[rows] = rows[torch.randperm(len(rows), device="cpu").to(rows.device)]
        real = encoder(nodes[index[rows]], present[rows])
        corrupted = encoder(nodes[source[index[rows]]], present[rows])
        return infomax_loss(real, corrupted, both["discriminator"])

    return train_shown(both, step, len(sections), options=options, workdir=workdir, label=label)
