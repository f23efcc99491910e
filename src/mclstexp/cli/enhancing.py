"""`enhance`: what lies between the spots of a section."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Reading, Tile, data_config, tile_spec
from mclstexp.cli.questions import gene_names, make_method
from mclstexp.cli.terminal import say
from mclstexp.core.progress import step


@Parameter(name="*", group="Enhancement")
@dataclass(frozen=True)
class Enhancing:
    """What is enhanced and how."""

    factor: int = 2
    """How many times finer than the array: 2 adds the middle between neighbouring spots."""
    genes: str | None = None
    """Which are told: a file with one gene a line, or names as ESR1,ERBB2; by default what a tenth of the spots
    have counts of, which is learnt from in any case."""
    method: str = "kriging"
    """The way; `mclstexp list` shows them."""
    preset: str | None = None
    """A named set of options to start from, such as published; --option counts for more."""
    option: Annotated[list[str], Parameter(negative="", show_default=False)] = field(default_factory=list)
    """Option of the method as NAME=VALUE, any number of times; `mclstexp list METHOD` shows them."""


@app.command
def enhance(
    section: Path,
    /,
    *,
    out: Path,
    enhancing: Enhancing = Enhancing(),
    reading: Reading = Reading(),  # noqa: B008
    tile: Tile = Tile(),  # noqa: B008
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Say what is expressed between the spots of a section, from the spots around.

    Parameters
    ----------
    section
        One measured section; a file of counts with their places is enough for a method that does not look.
    out
        File to write (.h5ad): places by genes, with the variance of each value where the method knows it.
    overwrite
        Replace a file that is already there.
    """
    step(f"Reading {section}")
    from mclstexp.api.enhancement import enhance_file
    from mclstexp.core.display import plural
    from mclstexp.core.enhancer import ROOM

    enhanced = enhance_file(
        data_config(section, reading),
        out=out,
        spec=tile_spec(tile),
        overwrite=overwrite,
        factor=enhancing.factor,
        genes=None if enhancing.genes is None else gene_names(enhancing.genes),
        method=make_method(ROOM, enhancing.method, enhancing.option, preset=enhancing.preset),
    )
    n_spots = int(enhanced.obs["in_section"].sum())
    say(f"{plural(enhanced.n_vars, 'gene')} at {n_spots} spots and {enhanced.n_obs - n_spots} places between them")
    say(str(out))
