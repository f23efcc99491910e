"""Fitting what predicts the difference to the training mean (SEPAL, arXiv 2309.01036, §3.3)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from mclstexp.training.loop import TrainingOptions
from mclstexp.training.progress import train_shown


def fit_deltas(
    module: nn.Module,
    predict: Callable[[Tensor], Tensor],
    delta: Float[Tensor, "n_spots n_genes"],
    *,
    counted: Bool[Tensor, "n_spots n_genes"] | None,
    options: TrainingOptions,
    workdir: Path | None = None,
    label: str = "fit",
) -> list[dict[str, float]]:
    """Minimise the squared error of predicted differences.

    Parameters
    ----------
    module
        What is fitted.
    predict
        Row numbers → their predicted differences, by way of `module`.
    delta
        (n_spots, n_genes) what is to be met.
    counted
        Entries the error is averaged over; None: all.
    options, workdir
        See `train`.
    label
        Shown with the progress; a checkpoint of another label is not resumed.

    Returns
    -------
    The history of `train`.
    """

    def step(rows: Tensor) -> Tensor:
        return squared_error(predict(rows), delta[rows], None if counted is None else counted[rows])

    return train_shown(module, step, len(delta), options=options, workdir=workdir, label=label)


def squared_error(
    predicted: Float[Tensor, "n n_genes"], truth: Float[Tensor, "n n_genes"], counted: Bool[Tensor, "n n_genes"] | None
) -> Float[Tensor, ""]:
    """Average the squared error over the counted entries; 0 where there is none."""
    if counted is None:
        return functional.mse_loss(predicted, truth)
    weights = counted.to(predicted.dtype)
    return ((predicted - truth).square() * weights).sum() / weights.sum().clamp(min=1)
