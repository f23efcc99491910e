"""How a fit went: the loss of every epoch, model by model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mclstexp.core.errors import InputError
from mclstexp.plotting.style import COLOURS, COLUMN_IN, style


def plot_training(histories: Mapping[str, Sequence[Mapping[str, float]]], *, ax: Axes | None = None) -> Axes:
    """Draw the mean loss of each epoch on the training spots.

    Parameters
    ----------
    histories
        Of `training.checkpoint.read_histories`: by name, a dictionary per epoch with "epoch" and "loss".
    ax
        A new figure of column width by default.

    Returns
    -------
    The axes. A falling loss says that the fit went on, not that the model predicts: that is judged on other sections.

    Raises
    ------
    InputError
        If no epoch was recorded.
    """
    told = {name: epochs for name, epochs in histories.items() if epochs}
    if not told:
        msg = "at least one recorded epoch expected, found none: fit with a workdir and read its histories"
        raise InputError(msg)
    with style():
        ax = plt.subplots(figsize=(COLUMN_IN, 0.62 * COLUMN_IN))[1] if ax is None else ax
        for number, (name, epochs) in enumerate(told.items()):
            x, y = [row["epoch"] for row in epochs], [row["loss"] for row in epochs]
            # a lone epoch is a point; colours come round again with dashes
            dash, dot = ("-", "--", ":")[number // len(COLOURS) % 3], "o" if len(epochs) == 1 else ""
            ax.plot(x, y, ls=dash, marker=dot, ms=3, color=COLOURS[number % len(COLOURS)], label=name)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel="epoch", ylabel="mean loss on training spots")
        ax.set_xlim(left=0)
        if len(told) > 1:
            ax.legend(ncols=1 + len(told) // 8)
    return ax
