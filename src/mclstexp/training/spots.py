"""Fitting over batches of spots: a tile's pixels or features, and the expression measured there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from mclstexp.nn.bleep import BleepModel
from mclstexp.nn.st_net import StNet, st_net_loss
from mclstexp.training.distributed import gather
from mclstexp.training.loop import TrainingOptions, my_share
from mclstexp.training.progress import train_shown


def fit_bleep(
    model: BleepModel,
    expression: Float[Tensor, "n_spots n_genes"],
    images: Callable[[Tensor], Tensor],
    *,
    options: TrainingOptions,
    workdir: Path | None = None,
) -> list[dict[str, float]]:
    """Align tiles with their spots by soft targets over the joined batch.

    Parameters
    ----------
    model
        On the device where it is to be fitted.
    expression
        What the spot head sees, on the same device.
    images
        Row numbers → what the backbone takes for them.
    options, workdir
        See `train`.

    Returns
    -------
    The history of `train`.
    """

    def step(rows: Tensor) -> Tensor:
        mine = my_share(rows)
        tiles = model.embed_images(images(mine))
        spots = model.embed_spots(expression[mine.to(expression.device)])
        return model.loss(gather(tiles), gather(spots))

    return train_shown(model, step, len(expression), options=options, workdir=workdir, label="bleep")


def fit_st_net(
    model: StNet,
    expression: Float[Tensor, "n_spots n_genes"],
    images: Callable[[Tensor], Tensor],
    *,
    options: TrainingOptions,
    workdir: Path | None = None,
) -> list[dict[str, float]]:
    """Minimise the squared error of `expression`, what is to be met; the rest as for `fit_bleep`."""

    def step(rows: Tensor) -> Tensor:
        predicted = gather(model(images(my_share(rows))))
        return st_net_loss(predicted, expression[rows.to(expression.device)])

    return train_shown(model, step, len(expression), options=options, workdir=workdir, label="st_net")
