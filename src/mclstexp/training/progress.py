"""Progress of a training on the terminal; where there is none, a line now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from mclstexp.core.progress import counted
from mclstexp.training.distributed import rank
from mclstexp.training.loop import Step, TrainingOptions, train


@contextmanager
def epoch_progress(label: str, n_epochs: int, *, unit: str = "epoch") -> Iterator[Callable[..., None]]:
    """Show a bar over epochs, or what else is counted, with the latest loss where there is one.

    Without a terminal a line is said each half minute, so that a log says how far it got.

    Yields
    ------
    What is called with the number of epochs that are done, and the loss: the callback for `train(on_epoch=…)`.
    """
    with counted(label, n_epochs, unit=unit, show=rank() == 0) as on_done:
        yield lambda epoch, loss=None: on_done(epoch, "" if loss is None else f"loss {loss:.3f}")


def train_shown(
    module: nn.Module, step: Step, n_rows: int, *, options: TrainingOptions, label: str, workdir: Path | None = None
) -> list[dict[str, float]]:
    """Call `train` and show how far it is.

    Parameters
    ----------
    module, step, n_rows, options, workdir
        See `train`.
    label
        Shown with the progress; a checkpoint of another label is not resumed.

    Returns
    -------
    The history of `train`.
    """
    with epoch_progress(label, options.epochs) as on_epoch:
        return train(module, step, n_rows, options=options, workdir=workdir, key=label, on_epoch=on_epoch)
