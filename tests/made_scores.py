"""Tables of scores with known numbers, for what is done with them."""

import numpy as np
import pandas as pd

from mclstexp.evaluation.score_table import COLUMNS

_ROW = {
    "method": "m",
    "kind": "method",
    "fold": "F",
    "by": "patient",
    "protocol": "strict",
    "space": "log10(1 + 1e4)",
    "transductive": False,
    "tuned": False,
    "sees": "",
    "patient": "A",
    "section": "A1",
    "gene": "G",
    "metric": "pcc",
    "value": 0.5,
    "reason": "",
}


def scores_of(rows, *, gene_sets=("heg50",), **common):
    """Make a table: each row says what differs from one PCC of method "m" in section A1 of patient A."""
    full = [_ROW | dict.fromkeys(gene_sets, True) | common | row for row in rows]
    return pd.DataFrame(full)[[*COLUMNS, *gene_sets]]


def per_patient(values, **common):
    """Make one section with one gene for each patient: `values` by method, one per patient."""
    return scores_of(
        [
            {"method": method, "fold": f"P{n}", "patient": f"P{n}", "section": f"P{n}", "value": value}
            for method, per_patient in values.items()
            for n, value in enumerate(per_patient)
        ],
        **common,
    )


def whole_table(*, n_patients=3, n_genes=12, seed=0):
    """Make a table as `evaluate` returns it: methods, controls, references, costs and a failure.

    "good" reaches 0.6 of the ceiling, "fair" (transductive) 0.4, the control "ridge" 0.3; "weak" fails in the first
    fold. Genes G0 to G3 are "heg50"; G11 has a ceiling of 0.
    """
    rng = np.random.default_rng(seed)
    shares = {"good": 0.6, "fair": 0.4, "weak": 0.2, "ridge": 0.3, "mean": 0.0}
    rows = []
    for n in range(n_patients):
        where = {"fold": f"P{n}", "patient": f"P{n}", "section": f"P{n}_1"}
        ceiling = np.append(np.linspace(0.9, 0.3, n_genes - 1), 0.0) * rng.uniform(0.9, 1)
        for gene, top in enumerate(ceiling):
            cell = where | {"gene": f"G{gene}", "heg50": gene < 4}
            rows += [cell | {"method": "noise ceiling", "kind": "reference", "metric": "ceiling", "value": top}]
            rows += [cell | {"method": "depth oracle", "kind": "reference", "value": 0.35 * top}]
            for method, share in shares.items():
                if (method, n) != ("weak", 0):
                    rows += [cell | _kind(method) | {"value": share * top}]
                    rows += [cell | _kind(method) | {"value": 1 - share * top, "metric": "mse"}]
        for method, share in shares.items():
            cost = where | _kind(method) | {"gene": "", "section": "", "patient": "", "heg50": False}
            if (method, n) == ("weak", 0):
                rows += [cost | {"metric": "failed", "value": np.nan, "reason": "ValueError: 50% of_it"}]
                continue
            rows += [cost | {"metric": "seconds", "value": 100.0}, cost | {"metric": "peak_mib", "value": 500.0 + n}]
            rows += [cost | {"metric": "svg_recovery", "value": share, "section": f"P{n}_1", "patient": f"P{n}"}]
    return scores_of(rows)


def _kind(method):
    kind = "control" if method in ("ridge", "mean") else "method"
    return {"method": method, "kind": kind, "transductive": method == "fair"}
