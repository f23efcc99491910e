"""Progress of a training on the terminal; silent where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, TextColumn
from torch import nn

from mclstexp.training.distributed import rank
from mclstexp.training.loop import Step, TrainingOptions, train


@contextmanager
def epoch_progress(label: str, n_epochs: int) -> Iterator[Callable[[int, float], None]]:
    """Show a bar over epochs with the latest loss; yields the callback for `train(on_epoch=…)`."""
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), TextColumn("loss {task.fields[loss]:.3f}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal or rank() > 0) as bar:
        task = bar.add_task(label, total=n_epochs, loss=float("nan"))
        yield lambda epoch, loss: bar.update(task, completed=epoch, loss=loss)


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
