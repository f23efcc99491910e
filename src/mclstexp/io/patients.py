"""Whom a section comes from, where its AnnData says so."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData

from mclstexp.core.doors import word

_WHO: Final = ("patient", "donor", "individual", "subject", "participant", "animal", "mouse")
"""What an individual is called, the most particular first; also with "id", "name", "no" or "number" behind."""
_NAMES: Final = tuple(who + ending for who in _WHO for ending in ("", "id", "name", "no", "number"))
_NOBODY: Final = frozenset(("", "nan", "na", "n/a", "none", "null", "unknown", "<na>", "-"))
_LISTED: Final = 3


def patient_of(adata: AnnData, *, where: str) -> str | None:
    """Read an individual's name from a column of ``obs`` or an entry of ``uns``.

    Names such as ``patient``, ``donor_id``, ``Individual`` or ``subject ID`` are looked for, however they are
    written. Fractions and yes-or-no columns name nobody (``mouse`` may be a share of reads).

    Parameters
    ----------
    adata
        Of one section, its spots under tissue.
    where
        Whose it is, for the warning.

    Returns
    -------
    The name; None where nothing says it, or several are named, which is warned of.
    """
    for place, values in _candidates(adata):
        found = sorted({name for value in values if (name := patient_name(value)) is not None})
        if len(found) > 1:
            listed = ", ".join(found[:_LISTED]) + (", …" if len(found) > _LISTED else "")
            text = (
                f"{where}: one individual expected in {place}, found {len(found)} ({listed}): unknown, unless "
                f"{word('patients')} names one"
            )
            warnings.warn(text, stacklevel=3)
            return None
        if found:
            return found[0]
    return None


def patient_name(value: Any) -> str | None:
    """Spell an individual's name as text (3.0 is "3"); None for what names nobody."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, bool | np.bool_) or not isinstance(value, str | int | float | np.number):
        return None
    if isinstance(value, float | np.floating):
        if not float(value).is_integer():
            return None
        value = int(value)
    name = str(value).strip()
    return None if name.lower() in _NOBODY else name


def _candidates(adata: AnnData) -> Iterator[tuple[str, list[Any]]]:
    columns, entries = _by_plain_name(adata.obs.columns), _by_plain_name(adata.uns)
    for name in _NAMES:
        if name in columns:
            values = adata.obs[columns[name]]
            if not _fractions(values):
                yield f'obs["{columns[name]}"]', list(values.dropna().unique())
    for name in _NAMES:
        if name in entries and np.ndim(value := adata.uns[entries[name]]) <= 1 and not isinstance(value, dict):
            yield f'uns["{entries[name]}"]', list(np.ravel(np.asarray(value, object)))


def _by_plain_name(names: Any) -> dict[str, str]:
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(re.sub(r"[^a-z]", "", str(name).lower()), name)
    return plain


def _fractions(values: pd.Series) -> bool:
    """Whether a column measures something rather than naming somebody."""
    if not pd.api.types.is_float_dtype(values):
        return False
    known = values.dropna().to_numpy()
    return bool((known != np.floor(known)).any())
