"""What the commands of the questions beside images have in common: genes and methods as they are typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mclstexp.core.method import Method
    from mclstexp.core.room import Room

M = TypeVar("M", bound="Method")


def gene_names(said: str) -> list[str]:
    """Return the genes that a flag names: a file with one a line, or names parted by commas."""
    from mclstexp.evaluation.toml import named_genes

    return named_genes(said)


def make_method(room: Room[M], name: str, option: list[str], *, preset: str | None = None) -> M:
    """Make a method of a room with the options that were typed as NAME=VALUE."""
    from mclstexp.core.options import options_from_text

    options = options_from_text(room.method_class(name), option, where=f"method {name}")
    return room.create(name, preset=preset, **options)
