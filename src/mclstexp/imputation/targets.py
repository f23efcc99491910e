"""Imputed genes as targets of image models: imputed on each training section, and learnt beside what it measured."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.core import identity, keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.imputed import with_expected
from mclstexp.core.imputer import Imputer
from mclstexp.core.method import options
from mclstexp.core.pairing import ASKED_IN, TARGET_SUM, cells_with_counts, require_shared
from mclstexp.core.section import Section, check_sections
from mclstexp.imputation.expected import expected_scores

LEAST: Final = 0.3
"""Expected PCC from which genes are imputed unasked."""


def impute_targets(
    sections: Sequence[Section],
    reference: AnnData,
    *,
    imputer: Imputer,
    genes: Sequence[str] | None = None,
    least: float = LEAST,
    named: str = "",
) -> list[Section]:
    """Impute genes that training sections lack, on each section by itself.

    Parameters
    ----------
    sections
        Training sections; nothing else is learnt from.
    reference
        (n_cells, n) raw counts; of no section that is to be held out.
    imputer
        The method.
    genes
        Which; a section that measured one keeps it. By default those that no section has, a twentieth of the cells
        express and whose expected PCC, mean over the sections, is `least`.
    least
        That score.
    named
        What the reference is called, for the model's record.

    Returns
    -------
    The sections with counts to expect of these genes, see `core.imputed`: the share that was imputed times the spot's
    count. Their scores to expect stand in ``counts.uns["imputed"]``.

    Raises
    ------
    InputError
        As `Imputer.impute`; if the sections have all of the genes, or none is expected to score that well.
    """
    sections = check_sections(sections)
    for section in sections:
        require_shared(section.counts.var_names, reference.var_names)
    asked = _unmeasured(sections, reference) if genes is None else [str(gene) for gene in genes]
    lacking = [[gene for gene in asked if gene not in section.counts.var_names] for section in sections]
    if not any(lacking):
        msg = f"genes to impute that a training section lacks expected, found none of {len(asked)}: name others"
        raise InputError(msg)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* have no counts: .*")  # said when sections are looked at
        scores = pd.concat(
            [
                expected_scores(imputer, section.counts, reference, targets=tuple(some))[keys.EXPECTED_PCC]
                for section, some in zip(sections, lacking, strict=True)
                if some
            ]
        )
        expected = scores.groupby(level=0).mean().reindex(dict.fromkeys(gene for some in lacking for gene in some))
        if genes is None:
            expected = _good(expected, least=least)
        how = {**_how(imputer, reference, expected), **({"reference_name": named} if named else {})}
        kept = [[gene for gene in some if gene in expected.index] for some in lacking]
        return [
            _with_imputed(section, some, reference=reference, imputer=imputer, how=how) if some else section
            for section, some in zip(sections, kept, strict=True)
        ]


def _unmeasured(sections: list[Section], reference: AnnData) -> list[str]:
    cells = cells_with_counts(reference).tocsc()
    often = np.diff(cells.indptr) >= ASKED_IN * cells.shape[0]
    measured = {gene for section in sections for gene in section.genes}
    new = [str(gene) for gene in reference.var_names[often] if gene not in measured]
    if not new:
        msg = (
            f"genes expected that no training section has and {ASKED_IN:.0%} of the reference's cells express, found "
            f"none: name genes with {word('impute_genes')}"
        )
        raise InputError(msg)
    return new


def _good(expected: pd.Series, *, least: float) -> pd.Series:
    good = expected[expected >= least]
    if good.empty:
        found = "unknown of all" if expected.isna().all() else f"{expected.max():.2f} at most"
        msg = (
            f"genes to impute with an expected PCC of {least:g} or more expected, found {found} of {len(expected)} "
            f"genes: lower {word('impute_least')}, name genes with {word('impute_genes')}, or give a nearer reference"
        )
        raise InputError(msg)
    return good


def _how(imputer: Imputer, reference: AnnData, expected: pd.Series) -> dict[str, Any]:
    """Say what imputes; plain values, as JSON and h5ad keep them."""
    return {
        "method": imputer.name,
        "options": {name: repr(value) for name, value in options(imputer).items()},
        "reference": identity.of("reference", reference.X, list(map(str, reference.var_names))),
        "n_cells": reference.n_obs,
        "expected_pcc": {gene: round(float(score), 4) for gene, score in expected.items() if np.isfinite(score)},
    }


def _with_imputed(
    section: Section, genes: list[str], *, reference: AnnData, imputer: Imputer, how: dict[str, Any]
) -> Section:
    share = np.expm1(np.maximum(imputer.impute(section.counts, reference, genes=genes).X, 0)) / TARGET_SUM
    total = np.asarray(section.counts.X.sum(axis=1), np.float64)
    return with_expected(section, pd.DataFrame(share * total, columns=genes), how=how)
