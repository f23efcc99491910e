"""`generate fit | tiles | slide`: tissue that is painted, for features, for a gene, without end."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Reading, Tile, data_config, tile_spec
from mclstexp.cli.questions import make_method
from mclstexp.cli.terminal import say
from mclstexp.core.progress import step

generate = App(name="generate", help="Paint tissue: synthetic pictures of what features or a gene look like.")
app.command(generate)


@Parameter(name="*", group="Generation")
@dataclass(frozen=True)
class Painting:
    """What is learnt and how."""

    method: str = "diffusion"
    """The way; `mclstexp list` shows them."""
    option: Annotated[list[str], Parameter(negative="", show_default=False)] = field(default_factory=list)
    """Option of the method as NAME=VALUE, any number of times; `mclstexp list METHOD` shows them."""
    preset: str | None = None
    """A named set of options to start from, such as full; --option counts for more."""


@Parameter(name="*", group="What is asked for")
@dataclass(frozen=True)
class Asked:
    """Which tiles."""

    gene: str | None = None
    """Paint along this gene, where it is low, middling and high; by default spots are taken evenly."""
    model: Path | None = None
    """A model of expression: its predictions take the place of what was measured."""
    quantiles: str | None = None
    """Where along the gene, as 0.05,0.5,0.95."""
    n: int | None = None
    """How many tiles; 16, or 10 at each quantile, by default."""
    seed: int = 0
    """Another one paints other tiles of the same features."""


@Parameter(name="*", group="The slide")
@dataclass(frozen=True)
class Canvas:
    """How large it is."""

    rows: int = 6
    """Of the grid of features; a tile high each."""
    columns: int = 6
    """Of the grid; a tile wide each."""
    repeat: int = 1
    """How often the picture is laid in both directions, without a seam: large slides in little time."""
    seed: int = 0
    """Another one paints other tissue of the same features."""


@generate.command
def fit(
    data: Path,
    /,
    *,
    out: Path,
    painting: Painting = Painting(),
    reading: Reading = Reading(),  # noqa: B008  frozen
    tile: Tile = Tile(),  # noqa: B008
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Learn from the tiles of sections what tissue of given features looks like; run it again to go on.

    Parameters
    ----------
    data
        Training sections; their counts are not looked at.
    out
        Folder for the generator.
    overwrite
        Replace a generator that is already there.
    """
    step(f"Reading {data}")
    from mclstexp.api.generation import fit_generator
    from mclstexp.core.generator import ROOM

    method = make_method(ROOM, painting.method, painting.option, preset=painting.preset)
    fitted = fit_generator(data_config(data, reading), method, out=out, spec=tile_spec(tile), overwrite=overwrite)
    made = fitted.provenance_
    say(f"{fitted.name} learnt from {made['n_tiles']} tiles of {', '.join(made['sections'])}")
    say(f"it paints {fitted.made_}: {out}")


@generate.command
def tiles(
    generator: Path,
    data: Path,
    /,
    *,
    out: Path,
    asked: Asked = Asked(),
    reading: Reading = Reading(),  # noqa: B008
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Paint tiles for the features of measured spots, or along a gene; measured ones stand beside them on a sheet.

    Parameters
    ----------
    generator
        Folder of a fitted generator.
    data
        Sections whose spots say what is asked for.
    out
        Folder for the tiles (.png), a sheet of them and what was asked for; every file says that it is synthetic.
    overwrite
        Replace a folder of painted tiles.
    """
    step(f"Reading {generator} and {data}")
    from mclstexp.api.generation import QUANTILES
    from mclstexp.api.generation_files import generate_gene_file, generate_tiles_file
    from mclstexp.core.errors import InputError

    config = data_config(data, reading)
    if asked.gene is None:
        if asked.model is not None or asked.quantiles is not None:
            msg = "--gene with --model or --quantiles expected, found none: say along which gene"
            raise InputError(msg)
        generate_tiles_file(
            generator, config, out=out, n=16 if asked.n is None else asked.n, seed=asked.seed, overwrite=overwrite
        )
    else:
        found = generate_gene_file(
            generator,
            config,
            asked.gene,
            out=out,
            model=asked.model,
            quantiles=QUANTILES if asked.quantiles is None else _numbers(asked.quantiles),
            n=10 if asked.n is None else asked.n,
            seed=asked.seed,
            overwrite=overwrite,
        )
        say(f"expression tells R² = {found.told:.2f} of the features of tissue that was left out")
    say(f"synthetic, no pictures of tissue: {out}")


@generate.command
def slide(
    generator: Path,
    data: Path,
    /,
    *,
    out: Path,
    canvas: Canvas = Canvas(),
    reading: Reading = Reading(),  # noqa: B008
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Paint a slide from the features of a section's tissue, a pyramid that opens as any other slide.

    Parameters
    ----------
    generator
        Folder of a fitted generator.
    data
        One section, whose tissue about the middle of its spots is asked for.
    out
        File to write (.ome.tif).
    overwrite
        Replace a file that is already there.
    """
    step(f"Reading {generator} and {data}")
    from mclstexp.api.generation_files import generate_slide_file

    path = generate_slide_file(
        generator,
        data_config(data, reading),
        out=out,
        repeat=(canvas.repeat, canvas.repeat),
        rows=canvas.rows,
        columns=canvas.columns,
        seed=canvas.seed,
        overwrite=overwrite,
    )
    say(f"synthetic, no picture of tissue: {path}")


def _numbers(said: str) -> tuple[float, ...]:
    from mclstexp.core.errors import InputError

    try:
        return tuple(float(part) for part in said.split(",") if part.strip())
    except ValueError:
        msg = f"--quantiles written as 0.05,0.5,0.95 expected, found {said!r}"
        raise InputError(msg) from None
