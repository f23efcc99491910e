"""`domains`: which regions a section has."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Reading, Tile, data_config, tile_spec
from mclstexp.cli.questions import make_method
from mclstexp.cli.terminal import say
from mclstexp.core.progress import step


@Parameter(name="*", group="Domains")
@dataclass(frozen=True)
class Dividing:
    """How many domains, and how they are found."""

    n_domains: Annotated[int | None, Parameter(alias="--k")] = None
    """How many; by default found without labels: two halves of the spots must be divided alike."""
    method: str = "kmeans"
    """The way; `mclstexp list` shows them."""
    option: Annotated[list[str], Parameter(negative="", show_default=False)] = field(default_factory=list)
    """Option of the method as NAME=VALUE, any number of times; `mclstexp list METHOD` shows them."""
    preset: str | None = None
    """A named set of options to start from, such as published; --option counts for more."""


@app.command
def domains(
    section: Path,
    /,
    *,
    out: Path,
    dividing: Dividing = Dividing(),
    reading: Reading = Reading(),  # noqa: B008
    tile: Tile = Tile(),  # noqa: B008
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Divide the spots of a section, or of a prediction, into regions; labels are not looked at.

    Parameters
    ----------
    section
        One measured section, a file of its counts and places (.h5ad), or a prediction.
    out
        File to write (.h5ad): spots, with their domain in obs.
    overwrite
        Replace a file that is already there.
    """
    step(f"Reading {section}")
    from mclstexp.api.domains import find_domains_file
    from mclstexp.core.domain_finder import ROOM

    found = find_domains_file(
        data_config(section, reading),
        out=out,
        spec=tile_spec(tile),
        overwrite=overwrite,
        n_domains=dividing.n_domains,
        method=make_method(ROOM, dividing.method, dividing.option, preset=dividing.preset),
    )
    sizes = found.obs["domain"].value_counts(sort=False)
    how = found.uns["mclstexp"]["number"]
    say(f"{len(sizes)} domains of {sizes.sum()} spots (number {how}): {', '.join(map(str, sizes))} spots")
    say(str(out))
