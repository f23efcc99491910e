"""Which genes go together, as measured and as predicted: two heatmaps in one order on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from numpy.typing import NDArray

from mclstexp.core.errors import InputError
from mclstexp.plotting.maps import colour_bar
from mclstexp.plotting.style import DIFFERENCE, PAGE_IN, style

_NAMED: Final = 40  # more names than these cannot be read at page width


def plot_gene_correlations(
    truth: pd.DataFrame, predicted: pd.DataFrame, *, axes: Sequence[Axes] | NDArray | None = None
) -> NDArray:
    """Draw the gene-gene correlations of truth and prediction side by side.

    Parameters
    ----------
    truth, predicted
        (n_genes, n_genes) correlations in [-1, 1] with the genes as index and columns. Both are drawn in the order
        of `truth`, which is best one that puts genes that go together side by side.
    axes
        Two axes; a new figure of page width by default.

    Returns
    -------
    (2,) axes; the title of the second says how well the pairs of genes agree (Pearson over the pairs) and their
    root mean squared difference. White fields are undefined: a gene that is constant.

    Raises
    ------
    InputError
        If a gene of the one is missing in the other.
    """
    genes = list(map(str, truth.index))
    if set(genes) != set(map(str, predicted.index)) or len(genes) < 2:
        msg = (
            f"correlations of the same genes, two or more, expected, found {len(genes)} and {len(predicted)} genes: "
            "correlate one panel"
        )
        raise InputError(msg)
    both = [table.loc[genes, genes].to_numpy(np.float64) for table in (truth, predicted)]
    with style():
        if axes is None:
            axes = plt.subplots(1, 2, figsize=(PAGE_IN, PAGE_IN / 2 + 0.1), layout="compressed")[1]
        axes = np.asarray(axes, dtype=object).ravel()
        if len(axes) != 2:
            msg = f"two axes expected (measured, predicted), found {len(axes)}: give two or none"
            raise InputError(msg)
        for ax, values, title in zip(axes, both, ("measured", f"predicted · {_agreement(*both)}"), strict=True):
            drawn = ax.imshow(np.ma.masked_invalid(values), vmin=-1, vmax=1, cmap=DIFFERENCE, interpolation="nearest")
            ax.set_title(title)
            _name_genes(ax, genes)
        axes[1].set_yticklabels([])
        colour_bar(drawn, list(axes), label="Pearson correlation over spots")
    return axes


def _name_genes(ax: Axes, genes: list[str]) -> None:
    ax.spines[:].set_visible(False)
    if len(genes) > _NAMED:
        ax.set(xticks=[], yticks=[], xlabel=f"{len(genes)} genes, in the order of the measured")
        return
    size = min(6.5, 180 / len(genes))
    ax.set_xticks(range(len(genes)), genes, rotation=90, fontsize=size, fontstyle="italic")
    ax.set_yticks(range(len(genes)), genes, fontsize=size, fontstyle="italic")
    ax.tick_params(length=0, pad=2)


def _agreement(truth: Float[np.ndarray, "n n"], predicted: Float[np.ndarray, "n n"]) -> str:
    upper = np.triu_indices(len(truth), k=1)
    a, b = truth[upper], predicted[upper]
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return "agreement undefined"
    return f"agreement {np.corrcoef(a, b)[0, 1]:.2f}, RMS difference {np.sqrt(np.mean((a - b) ** 2)):.2f}"
