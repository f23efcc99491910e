"""Progress of a training on the terminal; where there is none, a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress, TextColumn
from torch import nn

from mclstexp.training.distributed import rank
from mclstexp.training.loop import Step, TrainingOptions, train

SILENT_S: Final = 30.0
"""Seconds after which a training without a terminal says a word."""


@contextmanager
def epoch_progress(label: str, n_epochs: int, *, unit: str = "epoch") -> Iterator[Callable[..., None]]:
    """Show a bar over epochs, or what else is counted, with the latest loss where there is one.

    Without a terminal a line is said each half minute, so that a log says how far it got.

    Yields
    ------
    What is called with the number of epochs that are done, and the loss: the callback for `train(on_epoch=…)`.
    """
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), TextColumn("{task.fields[loss]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal or rank() > 0) as bar:
        task = bar.add_task(label, total=n_epochs, loss="")
        said = time.monotonic()

        def on_epoch(epoch: int, loss: float | None = None) -> None:
            nonlocal said
            text = "" if loss is None else f"loss {loss:.3f}"
            bar.update(task, completed=epoch, loss=text)
            if not console.is_terminal and rank() == 0 and time.monotonic() - said >= SILENT_S:
                print(", ".join(filter(None, (f"{label}: {unit} {epoch} of {n_epochs}", text))), file=sys.stderr)
                said = time.monotonic()

        yield on_epoch


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
