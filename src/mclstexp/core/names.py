"""Names that every file can hold."""

from __future__ import annotations

from collections.abc import Iterable

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
