"""How much of a score depth or stain explains: what is left to a method that knows one gene from another."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

MUCH: Final = 0.7
"""Share of a score from which a warning says that depth or stain explains it."""
_PLAIN: Final = {
    "density": "one map of predicted total counts for all genes",
    "colour": "a few numbers of the stain",
}
"""Controls that need no look at what the tissue is like, by the names they have in a table."""
_WORTH: Final = 0.05
"""Mean PCC below which a share of it would be one of noise."""


def best_method(summary: pd.DataFrame) -> str | None:
    """Return the method of highest PCC that is no control; None where there is none."""
    judged = summary.loc[summary["kind"] == "method", "pcc"].dropna()
    return None if judged.empty else str(judged.idxmax())


def explained_share(summary: pd.DataFrame, method: str) -> pd.Series:
    """Return which share of a method's mean PCC each simple explanation has.

    "depth" is the share that goes when depth is taken out, 1 - PCC given depth / PCC; a control of `_PLAIN` has the
    share that it scores by itself. They overlap: stain and depth both follow the density of cells.

    Parameters
    ----------
    summary
        Of `summarise`.
    method
        Whose score.

    Returns
    -------
    By "depth", "density" and "colour", each in [0, 1]; what the table does not have is left out, and all is where the
    PCC is below 0.05.
    """
    means = summary["pcc"].to_dict()
    if not means[method] >= _WORTH:
        return pd.Series(dtype=np.float64)
    shares = {"depth": 1 - summary["pcc_depth"].to_dict()[method] / means[method]} if "pcc_depth" in summary else {}
    controls = [name for name in _PLAIN if name != method and summary["kind"].to_dict().get(name) == "control"]
    shares |= {name: means[name] / means[method] for name in controls}
    return pd.Series(shares, dtype=np.float64).dropna().clip(0, 1)


def say_explained(summary: pd.DataFrame, method: str | None = None) -> list[str]:
    """Say how much of a score depth or stain explains, and warn where that is 70 % or more.

    Parameters
    ----------
    summary
        Of `summarise`.
    method
        Whose score; by default that of the best.

    Returns
    -------
    A sentence, and a warning where any share is at least `MUCH`; nothing where nothing is known.
    """
    if "pcc" not in summary:
        return []
    method = best_method(summary) if method is None else method
    if method is None:
        return []
    shares, means = explained_share(summary, method).to_dict(), summary["pcc"].to_dict()
    if not shares:
        return []
    said = [
        f"{name} ({what}) scores {means[name]:.3f}, {_percent(shares[name])} of it"
        for name, what in _PLAIN.items()
        if name in shares
    ]
    if "depth" in shares:
        left = summary["pcc_depth"].to_dict()[method]
        said = [f"{left:.3f} is left given depth ({_percent(shares['depth'])} of it goes)", *said]
    sentences = [f"Of the PCC of {method}, {means[method]:.3f}: {'; '.join(said)}."]
    largest = max(shares, key=lambda name: shares[name])
    if shares[largest] >= MUCH:
        cause = "stain" if largest == "colour" else "depth"
        known = "pcc_residual" in summary and summary["pcc_residual"].notna().any()
        sentences.append(
            f"Warning: {_percent(shares[largest])} of the PCC of {method} can be had from {cause} alone. Judge by the "
            f"PCC given depth{' and that on residuals' if known else ''}, not by this score."
        )
    return sentences


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
