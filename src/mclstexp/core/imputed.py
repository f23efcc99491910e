"""Imputed genes of a training section: the counts to expect of them, kept beside those that were measured.

A method asks `ExpressionSpace` for targets and gets both alike. Predictions say which of their genes nobody measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.section import Section


def with_expected(section: Section, expected: pd.DataFrame, *, how: Mapping[str, Any]) -> Section:
    """Return the section with counts to expect of genes that it lacks; it keeps those that it measured.

    Parameters
    ----------
    section
        A measured section.
    expected
        (n_spots, n_genes) counts of 0 or more, rows in its order, columns named by gene.
    how
        What they were imputed by, for the models that learn from them.

    Raises
    ------
    InputError
        If a gene was measured, a row is missing, or a number is negative or not finite.
    """
    measured = [str(gene) for gene in expected.columns if gene in section.counts.var_names]
    if measured:
        msg = f"genes that section {section.id} lacks expected, found {measured[0]!r} measured: leave it out"
        raise InputError(msg)
    values = expected.to_numpy(np.float64)
    if len(expected) != len(section) or not (np.isfinite(values).all() and (values >= 0).all()):
        msg = f"a count of 0 or more of each imputed gene expected at each of {len(section)} spots of {section.id}"
        raise InputError(msg)
    counts = section.counts.copy()
    columns = pd.Index(list(map(str, expected.columns)), dtype=object)
    counts.obsm[keys.EXPECTED_COUNTS] = pd.DataFrame(values, index=counts.obs_names, columns=columns)
    counts.uns[keys.EXPECTED_COUNTS] = dict(how)
    return replace(section, counts=counts)


def expected_counts(counts: AnnData) -> pd.DataFrame:
    """Return (n_spots, n) counts to expect of imputed genes; no column where there are none."""
    found = counts.obsm.get(keys.EXPECTED_COUNTS)
    return pd.DataFrame(index=counts.obs_names) if found is None else found


def all_counts(counts: AnnData) -> tuple[sparse.csr_matrix, pd.Index]:
    """Return measured counts and those to expect of imputed genes, side by side, and the genes' names."""
    expected = expected_counts(counts)
    if expected.shape[1] == 0:
        return counts.X, counts.var_names
    beside = sparse.csr_matrix(expected.to_numpy(np.float64))
    return sparse.hstack([counts.X, beside], format="csr"), counts.var_names.append(pd.Index(expected.columns))


def imputed_genes(sections: Sequence[Section]) -> list[str]:
    """Return the genes that some section holds by imputation alone and every section holds, in order."""
    names = dict.fromkeys(gene for section in sections for gene in expected_counts(section.counts).columns)
    held = [set(all_counts(section.counts[:0])[1]) for section in sections]
    return [gene for gene in names if all(gene in some for some in held)]


def imputation_of(sections: Sequence[Section], *, panel: Sequence[str]) -> dict[str, Any]:
    """Say which genes of a panel are imputed in any section, and by what; nothing where none is."""
    genes = [gene for gene in imputed_genes(sections) if gene in set(panel)]
    if not genes:
        return {}
    how = next(s.counts.uns[keys.EXPECTED_COUNTS] for s in sections if keys.EXPECTED_COUNTS in s.counts.uns)
    scores = how.get("expected_pcc", {})
    said = {name: value for name, value in how.items() if name != "expected_pcc"}
    return {**said, "genes": genes, "expected_pcc": [scores.get(gene) for gene in genes]}
