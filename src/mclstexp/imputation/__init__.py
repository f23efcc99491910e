"""Genes nobody measured: one file per method; a file saved here is a method everywhere."""

from __future__ import annotations

from typing import Any

from mclstexp.core.imputer import ROOM, Imputer

DEFAULT = "gene_ridge"


def list_imputers() -> dict[str, type[Imputer]]:
    """Return every known method of imputation by name."""
    return ROOM.methods()


def create_imputer(name: str = DEFAULT, **options: Any) -> Imputer:
    """Make a method of imputation.

    Raises
    ------
    InputError
        If the method or an option is unknown; the message names the nearest.
    """
    return ROOM.create(name, **options)
