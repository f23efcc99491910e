"""`predictability`: what sections leave to be predicted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Reading, Tile, data_config, tile_spec
from mclstexp.cli.terminal import print_table, say
from mclstexp.core.progress import step

_SHOWN = 20
_COLUMNS = {
    "ceiling": "ceiling",
    "ceiling_given_depth": "given depth",
    "moran": "Moran's I",
    "pls_given_depth": "pls",
}


@app.command
def predictability(
    data: Path,
    /,
    *,
    out: Path | None = None,
    genes: Path | None = None,
    encoder: str | None = None,
    tile: Tile = Tile(),  # noqa: B008  frozen, as the next
    reading: Reading = Reading(),  # noqa: B008
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Say which genes of some sections could be predicted at all, before any training, in about a minute.

    Parameters
    ----------
    data
        File or folder with measured sections; with one section alone no model is tried.
    out
        CSV file for the whole table; none by default.
    genes
        List of the genes, one a line; the most variable ones by default.
    encoder
        Image encoder of the plain model; a small one by default.
    overwrite
        Replace a table that is already there.
    """
    step(f"Reading {data}")
    from mclstexp.analysis.predictability import say_predictability
    from mclstexp.api.predictability import measure_predictability

    table = measure_predictability(
        data_config(data, reading), tile=tile_spec(tile), genes=genes, encoder=encoder, out=out, overwrite=overwrite
    )
    shown = [name for name in _COLUMNS if name in table]
    rows = [
        [str(gene), *(f"{value:.2f}" for value in row[shown]), row["outlook"]]
        for gene, row in table.head(_SHOWN).iterrows()
    ]
    print_table(rows, heading=["gene", *(_COLUMNS[name] for name in shown), "outlook"], title=str(data))
    say("given depth, Moran's I and pls: without what the spots' total counts explain")
    say(say_predictability(table))
    if out is not None:
        say(str(out))
