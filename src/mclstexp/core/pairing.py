"""What an imputer sees: a section and a reference, on one scale, without a count of the genes it is asked for."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float
from scipy import sparse

from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.names import require_names
from mclstexp.core.options import suggest
from mclstexp.core.panel import by_variability
from mclstexp.core.section import as_counts

TARGET_SUM: Final = 1e4
"""Values are ln(1 + this · share of the counts)."""
MAX_GENES: Final = 2000
"""Most genes that are learnt from; the most variable ones of those that are shared."""
MIN_GENES: Final = 5
MIN_SPOTS: Final = 10
MIN_CELLS: Final = 20
DETECTED: Final = 0.05
"""Share of the spots, and of the cells, that must hold a count of a gene for it to be learnt from."""
ASKED_IN: Final = 0.05
"""Share of the cells that must hold a count of a gene for it to be imputed unasked."""


@dataclass(frozen=True, eq=False)
class Pairing:
    """Spots and cells by the genes that both have; all in ln(1 + 10⁴ · share of the counts)."""

    genes: tuple[str, ...]
    """The shared genes that are learnt from; none of them is asked for."""
    targets: tuple[str, ...]
    """The genes that are asked for."""
    spots: Float[np.ndarray, "n_spots n_genes"]
    """Of the section; shares of the counts of all its genes that are not asked for."""
    cells: Float[np.ndarray, "n_cells n_genes"]
    """Of the reference; shares of the counts of all its genes."""
    asked: sparse.csc_matrix
    """(n_cells, n_targets) of the reference."""
    depth: Float[np.ndarray, " n_spots"]
    """ln(1 + total count) of each spot, over its genes that are not asked for."""
    cell_depth: Float[np.ndarray, " n_cells"]
    """ln(1 + total count) of each cell, over all its genes."""
    cell_obs: pd.DataFrame
    """What the reference says of its cells, such as their types."""


def pair(counts: AnnData, reference: AnnData, *, genes: Sequence[str] | None) -> Pairing:
    """Bring a section and a reference together; asked genes that the section has are taken out before anything else.

    Parameters
    ----------
    counts
        (n_spots, n) raw counts of a section; every spot has some (see `measured_spots`).
    reference
        (n_cells, n) raw counts of single cells, or of spots of another section.
    genes
        What is asked for; by default the genes of the reference that the section lacks and that a twentieth of the
        cells express.

    Raises
    ------
    InputError
        If a gene is named twice, no or too few genes, spots or cells are there, or a gene that is asked for is not in
        the reference.
    """
    require_shared(counts.var_names, reference.var_names)
    cells = cells_with_counts(reference)
    targets = _targets(counts, reference, cells, genes)
    section = counts[:, ~counts.var_names.isin(targets)]
    spots = as_counts(section.X, where="the section").astype(np.float64)
    learnt = _learnt(section, spots, reference, cells)
    at = reference.var_names.get_indexer
    return Pairing(
        genes=tuple(learnt),
        targets=targets,
        spots=log_shares(spots)[:, section.var_names.get_indexer(learnt)].toarray(),
        cells=log_shares(cells)[:, at(learnt)].toarray(),
        asked=sparse.csc_matrix(log_shares(cells)[:, at(list(targets))]),
        depth=np.log1p(np.asarray(spots.sum(axis=1)).ravel()),
        cell_depth=np.log1p(np.asarray(cells.sum(axis=1)).ravel()),
        cell_obs=reference.obs[np.asarray(reference.X.sum(axis=1)).ravel() > 0],
    )


def log_shares(counts: sparse.csr_matrix, *, target_sum: float = TARGET_SUM) -> sparse.csr_matrix:
    """Return ln(1 + `target_sum` · share of a row's counts), for raw counts in sparse rows without stored zeros."""
    totals = np.asarray(counts.sum(axis=1), np.float64).ravel()
    share = counts.data / np.repeat(totals, np.diff(counts.indptr))
    return sparse.csr_matrix((np.log1p(target_sum * share), counts.indices, counts.indptr), shape=counts.shape)


def cells_with_counts(reference: AnnData) -> sparse.csr_matrix:
    """Return the raw counts of the cells that hold some, and say aloud how many do not.

    Raises
    ------
    InputError
        If hardly any does.
    """
    cells = as_counts(reference.X, where="the reference").astype(np.float64)
    kept = np.asarray(cells.sum(axis=1)).ravel() > 0
    if kept.sum() < MIN_CELLS:
        advice = "give its raw counts" if len(kept) >= MIN_CELLS else "give a reference of more cells"
        msg = f"at least {MIN_CELLS} cells with counts expected in the reference, found {kept.sum()} of {len(kept)}"
        msg += f": {advice}"
        raise InputError(msg)
    if not kept.all():
        warnings.warn(f"{(~kept).sum()} of {len(kept)} cells of the reference have no counts: left out", stacklevel=4)
    return cells[kept]


def _targets(
    counts: AnnData, reference: AnnData, cells: sparse.csr_matrix, genes: Sequence[str] | None
) -> tuple[str, ...]:
    if genes is None:
        often = np.diff(cells.tocsc().indptr) >= ASKED_IN * cells.shape[0]
        new = ~reference.var_names.isin(counts.var_names)
        if not (often & new).any():
            msg = (
                f"genes expected that the section lacks and {ASKED_IN:.0%} of the reference's cells express, found "
                f"none: name genes with {word('genes')}; those that were measured are then hidden from the method"
            )
            raise InputError(msg)
        return tuple(map(str, reference.var_names[often & new]))
    targets = [str(gene) for gene in genes]
    if not targets:
        msg = f"genes to impute expected, found none: name some with {word('genes')}, or leave it out for all"
        raise InputError(msg)
    _require_unique(pd.Index(targets), what="the genes that are asked for")
    lacking = [gene for gene in targets if gene not in reference.var_names]
    if lacking:
        near = suggest(lacking[0], reference.var_names) if reference.n_vars < 50 else _near(lacking[0], reference)
        msg = (
            f"every gene that is asked for must be in the reference, found {len(lacking)} of {len(targets)} missing "
            f"({', '.join(lacking[:3])}{', …' if len(lacking) > 3 else ''}): {near}"
        )
        raise InputError(msg)
    return tuple(targets)


def _near(gene: str, reference: AnnData) -> str:
    alike = [name for name in reference.var_names if name.lower() == gene.lower()]
    return f"did you mean {alike[0]!r}?" if alike else "leave them out, or give a reference that has them"


def _learnt(section: AnnData, spots: sparse.csr_matrix, reference: AnnData, cells: sparse.csr_matrix) -> list[str]:
    """Choose what is learnt from: shared, not asked for, found often enough in both; of many the most variable."""
    at = reference.var_names.get_indexer(section.var_names)
    found = np.diff(spots.tocsc().indptr) >= max(2, DETECTED * spots.shape[0])
    in_cells = np.diff(cells.tocsc().indptr) >= max(2, DETECTED * cells.shape[0])
    usable = np.flatnonzero((at >= 0) & found & in_cells[at])
    usable = usable[_varies(log_shares(spots)[:, usable]) & _varies(log_shares(cells)[:, at[usable]])]
    if len(usable) < MIN_GENES:
        msg = (
            f"at least {MIN_GENES} genes to learn from expected (in section and reference, not asked for, found in "
            f"{DETECTED:.0%} of spots and of cells), found {len(usable)}: ask for fewer genes or give deeper counts"
        )
        raise InputError(msg)
    if len(usable) > MAX_GENES:
        order = by_variability([spots[:, usable]], names=section.var_names[usable])
        usable = np.sort(usable[order[:MAX_GENES]])
    return [str(gene) for gene in section.var_names[usable]]


def _varies(values: sparse.csr_matrix) -> np.ndarray:
    low, high = (np.asarray(end.todense()).ravel() for end in (values.min(axis=0), values.max(axis=0)))
    return high > low


def _require_unique(names: pd.Index, *, what: str) -> None:
    require_names(names, of=f"genes of {what}")
    if not names.is_unique:
        twice = names[names.duplicated()][0]
        msg = f"each gene once expected in {what}, found {twice!r} twice: rename or add up those columns"
        raise InputError(msg)


def require_shared(section: pd.Index, reference: pd.Index) -> None:
    """Refuse genes that cannot be brought together.

    Raises
    ------
    InputError
        If a name stands twice on one side, or no gene is shared; it is said where species or kinds of names differ.
    """
    _require_unique(section, what="the section")
    _require_unique(reference, what="the reference")
    n_shared = int(section.isin(reference).sum())
    known = {str(gene).upper(): str(gene) for gene in reference}
    alike = [str(gene) for gene in section if known.get(str(gene).upper(), gene) != gene and gene not in reference]
    if len(alike) > 5 * n_shared:  # some names of mouse and man are spelt alike
        found = (
            f"found {n_shared or 'none'}, and {len(alike)} alike but for upper and lower case ({alike[0]} and "
            f"{known[alike[0].upper()]})"
        )
        advice = "mouse genes are written Penk, human ones PENK: give a reference of the same species"
    elif n_shared:
        return
    elif _are_ids(section) != _are_ids(reference):
        which = "the section" if _are_ids(section) else "the reference"
        found, advice = f"found none: {which} names genes by Ensembl ids, the other by symbols", "name both alike"
    else:
        found = (
            f"found none ({section[0]}, … and {reference[0]}, …)"
            if len(section) and len(reference)
            else "found no gene"
        )
        advice = "give a reference whose genes are named as the section's"
    msg = f"genes that section and reference share expected, {found}: {advice}"
    raise InputError(msg)


def _are_ids(names: Iterable[str]) -> bool:
    some = [str(name) for name in names][:200]
    return bool(some) and sum(bool(re.match(r"ENS[A-Z]*G\d{6,}", name)) for name in some) > len(some) / 2
