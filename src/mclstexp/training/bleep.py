"""Fitting BLEEP's network: batches of tiles and the expression of their spots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from mclstexp.nn.bleep import BleepModel
from mclstexp.training.distributed import gather
from mclstexp.training.loop import TrainingOptions, my_share, train
from mclstexp.training.progress import epoch_progress


def fit_bleep(
    model: BleepModel,
    expression: Float[Tensor, "n_spots n_genes"],
    images: Callable[[Tensor], Tensor],
    *,
    options: TrainingOptions,
    workdir: Path | None = None,
    label: str = "bleep",
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
    label
        Shown with the progress; a checkpoint of another label is not resumed.

    Returns
    -------
    The history of `train`.
    """

    def step(rows: Tensor) -> Tensor:
        mine = my_share(rows)
        tiles = model.embed_images(images(mine))
        spots = model.embed_spots(expression[mine.to(expression.device)])
        return model.loss(gather(tiles), gather(spots))

    with epoch_progress(label, options.epochs) as on_epoch:
        return train(model, step, len(expression), options=options, workdir=workdir, key=label, on_epoch=on_epoch)
