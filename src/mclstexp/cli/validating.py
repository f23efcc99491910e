"""`validate`: what sections are, what is likely wrong with them, and where their spots belong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Reading, Tile, data_config, tile_spec
from mclstexp.cli.terminal import cell, print_table, say
from mclstexp.core.progress import step


@Parameter(name="*", group="Where spots belong")
@dataclass(frozen=True)
class Aligning:
    """How spots are put where they belong."""

    align: Annotated[bool, Parameter(negative="")] = False
    """Find out from stain and expression whether spots are shifted, turned, mirrored or stretched against the image."""
    landmarks: Path | None = None
    """Table of pairs of points that says it instead (.csv with columns x, y, image_x, image_y); of one section."""
    overwrite: Annotated[bool, Parameter(negative="")] = False
    """Replace a mended section that is already there."""


@app.command
def validate(
    data: Path,
    /,
    *,
    out: Path | None = None,
    aligning: Aligning = Aligning(),
    tile: Tile = Tile(),  # noqa: B008  frozen, as the next
    reading: Reading = Reading(),  # noqa: B008
) -> None:
    """Read sections, say what they are and what is likely wrong with them.

    Parameters
    ----------
    data
        File or folder with sections.
    out
        Folder for a picture of each section with its spots; with --align or --landmarks for the mended sections too,
        or the file (.h5ad) of the one.
    """
    step(f"Reading {data}")
    from mclstexp import api

    notes: list[str] = []
    found = api.validate(
        data_config(data, reading), tile=tile_spec(tile), out=out, on_note=notes.append, **vars(aligning)
    )
    names = [name for name in found[0][0] if name != "section"]
    rows = [[name, *(cell(description[name]) for description, _ in found)] for name in names]
    print_table(rows, heading=["", *(description["section"] for description, _ in found)], title=str(data))
    for note in notes:
        say(note)
    for sentence in [sentence for _, sentences in found for sentence in sentences]:
        say(f"warning: {sentence}")
