"""Raw counts of an AnnData object: which of its matrices they are, and which of its spots lie under tissue."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Bool
from scipy import sparse

from mclstexp.core import keys
from mclstexp.core.errors import InputError
from mclstexp.core.section import as_counts
from mclstexp.core.wording import shown
from mclstexp.io.tenx import unique_names
from mclstexp.io.unasked import counts_are_asked, without_counts

_LAYERS: Final = ("raw_counts", "raw", "count", "umi")
"""What layers of counts are called beside ``counts``."""
_TRUE: Final = frozenset({"1", "1.0", "true", "t", "yes", "y", "in", "in_tissue", "in tissue", "tissue"})
_FALSE: Final = frozenset({"0", "0.0", "false", "f", "no", "n", "out", "out_tissue", "background", "off"})
_MANY, _DEEP = 20, 200.0
"""Spots, and counts of each, from which on their totals tell something."""
_BLANK: Final = frozenset({"", "nan", "na", "none", "<na>"})


def raw_counts(adata: AnnData, *, where: str, in_tissue: bool = True) -> AnnData:
    """Return the raw counts of the spots under tissue.

    They are the first of ``layers["counts"]``, ``X``, other layers called so and ``raw.X`` that holds whole numbers
    which vary as counts do. Gene names that several genes share are followed by the id, if ``var`` has one.

    Parameters
    ----------
    adata
        The whole object.
    where
        Whose it is, for messages.
    in_tissue
        Whether ``obs["in_tissue"]`` counts, where it is there.

    Raises
    ------
    InputError
        If no matrix holds whole numbers of zero or more, or no spot lies under tissue.
    """
    counts, var = _choose(adata, where=where)
    var = var.copy()
    ids = next((column for column in (keys.GENE_ID, "gene_ids") if column in var), None)
    if ids is not None and not var.index.is_unique:
        var.index = unique_names(var.index.to_series(), var[ids])
    kept = AnnData(X=counts, obs=adata.obs.copy(), var=var, obsm=dict(adata.obsm), uns=dict(adata.uns))
    if not in_tissue or keys.IN_TISSUE not in kept.obs:
        return kept
    return kept[under_tissue(kept.obs[keys.IN_TISSUE], where=where)].copy()


def under_tissue(stated: pd.Series, *, where: str) -> Bool[np.ndarray, " n"]:
    """Say which spots lie under tissue by numbers, booleans or words; says aloud how many do not, or are blank.

    Spots of which it is not said are kept.

    Raises
    ------
    InputError
        If no spot does, or a word is neither yes nor no.
    """
    text = stated.astype(object).map(lambda value: "" if value is None else str(value).strip().lower())
    yes, no, blank = (text.isin(words).to_numpy() for words in (_TRUE, _FALSE, _BLANK))
    other = ~(yes | no | blank)
    if other.any():
        found = stated.astype(object).to_numpy()[other][0]
        msg = f"{where}: 1 or 0 expected as in_tissue of every spot, found {shown(found)} in {other.sum()}: correct it"
        raise InputError(msg)
    if not (yes | blank).any():
        msg = (
            f"{where}: spots under tissue expected, found none with in_tissue = 1 among {len(stated)}: check the column"
        )
        raise InputError(msg)
    if no.any():
        text_ = f"{where}: {no.sum()} of {len(no)} spots lie beside the tissue by in_tissue and are left out"
        warnings.warn(text_, stacklevel=3)
    if blank.any():
        text_ = f"{where}: in_tissue is blank for {blank.sum()} of {len(blank)} spots: they are kept"
        warnings.warn(text_, stacklevel=3)
    return np.asarray(~no)


def _choose(adata: AnnData, *, where: str) -> tuple[Any, pd.DataFrame]:
    """Return the matrix of counts and its genes, and say so where another might have been meant.

    Where counts are not asked for (`places_alone`), there are no genes.
    """
    if not counts_are_asked():
        none = without_counts(adata.obs.index)
        return none.X, none.var
    places = {"layers['counts']": (adata.layers.get("counts"), adata.var), "X": (adata.X, adata.var)}
    places |= {f"layers['{name}']": (adata.layers.get(name), adata.var) for name in _LAYERS}
    if adata.raw is not None:
        places["raw.X"] = (adata.raw.X, adata.raw.var)
    whole = {name: found for name, (m, v) in places.items() if m is not None and (found := _whole(m, v, where))}
    if not whole:
        msg = (
            f"{where}: raw counts (whole numbers) expected in X, layers['counts'] or raw.X, found normalised or no "
            "values: save the unnormalised counts into layers['counts']"
        )
        raise InputError(msg)
    doubts = {name: _unlike_counts(counts) for name, (counts, _) in whole.items()}
    chosen = next((name for name, doubt in doubts.items() if not doubt), next(iter(whole)))
    counts, var = whole[chosen]
    if doubts[chosen]:
        text = f"{where}: {chosen} holds whole numbers that {doubts[chosen]}: save the raw counts into"
        warnings.warn(f"{text} layers['counts']", stacklevel=4)
    elif chosen != "X" and "X" in whole and not _equal(whole["X"][0], counts):
        why = doubts["X"].partition(",")[0] or "differ from them"
        warnings.warn(f"{where}: counts are taken from {chosen}; the whole numbers in X {why}", stacklevel=4)
    return counts, var


def _whole(matrix: object, var: pd.DataFrame, where: str) -> tuple[sparse.csr_matrix, pd.DataFrame] | None:
    try:
        return as_counts(matrix, where=where), var
    except InputError:
        return None


def _unlike_counts(counts: sparse.csr_matrix) -> str:
    """Say what about whole numbers is not as of counts; "" if nothing is."""
    if not _vary_as_counts(counts):
        return "vary less than counts do, as rounded logarithms"
    totals = np.asarray(counts.sum(axis=1), np.float64).ravel()
    totals = totals[totals > 0]
    if len(totals) >= _MANY and totals.max() <= 1.02 * totals.min() and totals.mean() > _DEEP:
        return f"add up to nearly {totals.mean():.0f} at every spot, as normalised and rounded ones"
    if len(totals) >= _MANY and counts.data.max() == 1:
        found = np.bincount(counts.indices, minlength=counts.shape[1])
        if found.max(initial=0) > 0.5 * counts.shape[0]:  # of genes so frequent some spot has two
            return "are 1 and 0 alone, as of what was made binary"
    step = int(np.gcd.reduce(counts.data[:1000])) if len(counts.data) >= _MANY else 1
    if step > 1 and (step := int(np.gcd.reduce(counts.data))) > 1:
        return f"are all multiples of {step}, as scaled ones"
    return ""


def _vary_as_counts(counts: sparse.csr_matrix) -> bool:
    """Whether numbers vary at least half as much as chance alone makes counts vary (Poisson: variance = mean).

    Rounded logarithms of frequent genes hardly vary. Too few spots or frequent genes say nothing.
    """
    some = counts[:: max(1, counts.shape[0] // 2_000)].astype(np.float64)
    if some.shape[0] < 20:
        return True
    mean = np.asarray(some.mean(axis=0)).ravel()
    variance = np.asarray(some.multiply(some).mean(axis=0)).ravel() - mean**2
    frequent = (mean >= 2) & (variance > 0)
    if frequent.sum() < 5:
        return True
    return bool(np.median(variance[frequent] / mean[frequent]) >= 0.5)


def _equal(first: sparse.csr_matrix, second: sparse.csr_matrix) -> bool:
    return first.shape == second.shape and all(np.array_equal(first.sum(axis=a), second.sum(axis=a)) for a in (0, 1))
