"""Fitting ST-Net's network: batches of tiles and the expression of their spots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from mclstexp.nn.st_net import StNet, st_net_loss
from mclstexp.training.distributed import gather
from mclstexp.training.loop import TrainingOptions, my_share, train
from mclstexp.training.progress import epoch_progress


def fit_st_net(
    model: StNet,
    expression: Float[Tensor, "n_spots n_genes"],
    images: Callable[[Tensor], Tensor],
    *,
    options: TrainingOptions,
    workdir: Path | None = None,
    label: str = "st_net",
) -> list[dict[str, float]]:
    """Minimise the squared error over batches of spots.

    Parameters
    ----------
    model
        On the device where it is to be fitted.
    expression
        What is to be met, on the same device.
    images
        Row numbers → what the backbone takes for them.
    options, workdir
        See `train`.
    label
        Shown with the progress; a checkpoint of another label is not resumed.

    Returns
    -------
    The history of `train`.
    """

    def step(rows: Tensor) -> Tensor:
        predicted = gather(model(images(my_share(rows))))
        return st_net_loss(predicted, expression[rows.to(expression.device)])

    with epoch_progress(label, options.epochs) as on_epoch:
        return train(model, step, len(expression), options=options, workdir=workdir, key=label, on_epoch=on_epoch)
