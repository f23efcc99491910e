"""Genes nobody measured: one file per method; a file saved here is a method everywhere."""

from __future__ import annotations

from typing import Any

from mclstexp.core.imputer import ROOM, Imputer

DEFAULT = "gene_ridge"


def list_imputers() -> dict[str, type[Imputer]]:
    """Return every known method of imputation by name."""
    return ROOM.methods()


def create_imputer(name: str = DEFAULT, *, preset: str | None = None, **options: Any) -> Imputer:
    """Make a method of imputation.

    Parameters
    ----------
    name
        A name of `list_imputers()`.
    preset
        A named set of options to start from, such as "published".
    options
        Its options by name; they count for more than the preset's.

    Raises
    ------
    InputError
        If the method, the preset or an option is unknown; the message names the nearest.
    """
    return ROOM.create(name, preset=preset, **options)
