"""Sections read and looked at before anything is learnt from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mclstexp.core.section import Section
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation.config import DataConfig
from mclstexp.io.atomic import atomic_path
from mclstexp.io.checks import check_section, describe_section


def validate(
    data: DataConfig,
    *,
    tile: TileSpec = TileSpec(),  # noqa: B008  frozen
    out: Path | str | None = None,
) -> list[tuple[dict[str, Any], list[str]]]:
    """Read sections and say what they are and what is likely wrong with them.

    Parameters
    ----------
    data
        The sections.
    tile
        Size and scale of the tiles they are meant for.
    out
        Folder for a picture of each section with its spots; none by default.

    Returns
    -------
    For each section its description and the sentences about it.

    Raises
    ------
    InputError
        If the data cannot be read or do not belong together.
    """
    sections = data.read(tile)
    if out is not None:
        for section in sections:
            _draw_overlay(section, Path(out) / f"{section.id.replace('/', '_')}.png")
    return [(describe_section(section), check_section(section, min_counts=data.min_counts)) for section in sections]


def _draw_overlay(section: Section, target: Path) -> None:
    import matplotlib.pyplot as plt  # noqa: PLC0415  slow, and only drawing needs it

    from mclstexp.plotting.overlay import plot_overlay  # noqa: PLC0415
    from mclstexp.plotting.style import PAGE_IN  # noqa: PLC0415

    figure, ax = plt.subplots(figsize=(PAGE_IN, PAGE_IN), layout="compressed")
    plot_overlay(section, ax=ax)
    with atomic_path(target) as path:
        figure.savefig(path, dpi=200)
    plt.close(figure)
