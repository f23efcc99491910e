"""Names that every file can hold, and those that were nearly meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

import pandas as pd

from mclstexp.core.errors import InputError
from mclstexp.core.wording import shown


def require_names(names: Iterable[object], *, of: str) -> None:
    """Refuse names with a NUL character, at which HDF5 and what reads it elsewhere end a text.

    Parameters
    ----------
    names
        The names; what is no text passes.
    of
        Whose they are, as "genes of section C1".

    Raises
    ------
    InputError
        If one has it.
    """
    for name in names:
        if isinstance(name, str) and "\0" in name:
            msg = (
                f"{of}: names without NUL characters expected, found {shown(name)}: the file is damaged, fetch it again"
            )
            raise InputError(msg)


def require_distinct(names: pd.Index, *, where: str) -> None:
    """Refuse spots of one name: sections that were put together share barcodes.

    Raises
    ------
    InputError
        If two have one.
    """
    if not names.is_unique:
        twice = names[names.duplicated()][0]
        msg = (
            f"{where}: each spot once expected, found {shown(str(twice), 40)} twice, as where sections were put "
            "together: give one section, or name spots apart"
        )
        raise InputError(msg)


def meant(missing: Sequence[str], names: Iterable[str]) -> str:
    """Return what to do about missing genes: the name that one is nearly, where there is one."""
    upper = {str(name).upper(): str(name) for name in names}
    for gene in missing[:3]:
        like = get_close_matches(gene, list(upper.values()), n=1, cutoff=0.75)
        near = upper.get(gene.upper(), like[0] if like else None)
        if near is not None:
            return f"did you mean {near!r}? Otherwise choose a panel common to all sections"
    return "choose a panel common to all sections"
