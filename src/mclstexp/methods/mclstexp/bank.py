"""The bank of mclSTExp, from a training table and from a saved model."""

from __future__ import annotations

from typing import Any

import numpy as np

from mclstexp.core.predictor import State
from mclstexp.core.stored import stored_arrays, stored_patients, stored_texts
from mclstexp.retrieval.bank import ReferenceBank
from mclstexp.training.aligned import SpotTable
from mclstexp.training.published import PublishedTable


def bank_of(table: SpotTable | PublishedTable, *, keys: np.ndarray, expression: np.ndarray) -> ReferenceBank:
    """Return the table's spots under their keys (n_spots, dim), with expression (n_spots, n_genes)."""
    return ReferenceBank(keys, expression, section_ids=table.section_ids, patients=table.patients)


def origins(bank: ReferenceBank) -> dict[str, Any]:
    """Return where a bank's spots come from, as plain JSON types."""
    return {"section_ids": list(bank.section_ids), "patients": list(bank.patients)}


def saved_bank(state: State, *, keys: str, n_genes: int) -> ReferenceBank:
    """Rebuild a bank from a state: its keys under the name `keys`, the rest as `origins` and get_state left them."""
    layout = {keys: "spots dim", "bank.expression": "spots genes"}
    embedded, expression = stored_arrays(state, layout, genes=n_genes)
    return ReferenceBank(
        keys=embedded,
        expression=expression,
        section_ids=stored_texts(state, "section_ids"),
        patients=stored_patients(state),
    )
