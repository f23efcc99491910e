"""Predictions of made-up slides, as `predict` returns them, with verdicts and training ranges."""

import anndata as ad
import numpy as np
import pandas as pd

from mclstexp.core.expression import ExpressionSpace

GENES = tuple(f"G{k}" for k in range(12))
VERDICTS = ("predictable",) * 7 + ("doubtful",) * 3 + ("not predictable", "")
SETS = {"whole": GENES[:6], "nearly": GENES[4:9], "few": ("G0", "G1", "ABSENT", *GENES[9:])}


def prediction(slide, values, *, verdicts=VERDICTS, ranges=True, **said):
    """A prediction as `predict` returns it."""
    var = pd.DataFrame(index=pd.Index(GENES, dtype=object))
    if ranges:
        var = var.assign(training_low=np.arange(12.0), training_high=np.arange(12.0) + 2)
    if verdicts is not None:
        var["verdict"] = list(verdicts)
    about = {
        "method": "ridge",
        "version": "1",
        "options": {"alpha": "1.0", "n": "(1, 2)"},
        "sections": {"A/1": "0" * 64, "B": "1" * 64},
        "patients": ["p", "q"],
        "min_counts": 10,
        "space": ExpressionSpace(GENES).record(),
        "spec": {"size_px": 32, "mpp": 0.5},
        "slide": slide,
        **said,
    }
    obs = pd.DataFrame({"section": slide}, index=[f"{slide}-{k}" for k in range(len(values))])
    return ad.AnnData(np.asarray(values, np.float32), obs=obs, var=var, uns={"mclstexp": about})


def slides(n, *, seed=0, names=None, **more):
    rng = np.random.default_rng(seed)
    names = names or [f"S{k}" for k in range(n)]
    return [prediction(name, rng.normal(3, 1, (5 + k % 4, 12)), **more) for k, name in enumerate(names)]
