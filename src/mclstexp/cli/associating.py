"""`associate spots | individuals`: what goes with what, beyond chance."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from mclstexp.cli.application import app
from mclstexp.cli.flags import Reading, Tile, data_config, tile_spec
from mclstexp.cli.terminal import print_table, say
from mclstexp.core.progress import step

if TYPE_CHECKING:
    from mclstexp.analysis.association.associate import Associations

associate = App(name="associate", help="What goes with what: image, genes, labels and genotypes, beyond chance.")
app.command(associate)
_SHOWN = 10


@Parameter(name="*", group="The scan")
@dataclass(frozen=True)
class Scanned:
    """What is scanned against what."""

    traits: Literal["image", "genes"] = "image"
    """Principal components of what the images show, or measured expression."""
    markers: Literal["genes", "label"] = "genes"
    """Measured expression, or what a pathologist called the spots."""
    genes: Path | None = None
    """List of genes, one a line; the most variable ones by default."""
    encoder: str | None = None
    """Image encoder; a small one by default."""
    axes: int = 10
    """How many principal components."""
    given: str = "depth"
    """What is taken out of both sides: depth, stain, depth,stain or none."""
    null: Literal["moran", "shifts"] = "moran"
    """How maps without an association are drawn: by the signs of spatial patterns, or by shifts of the array."""
    permutations: int = 999
    """Random maps of each section."""


@associate.command
def spots(
    data: Path,
    /,
    *,
    out: Path,
    scanned: Scanned = Scanned(),
    tile: Tile = Tile(),  # noqa: B008  frozen, as the next
    reading: Reading = Reading(),  # noqa: B008
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Say which axes of the image go with which genes or labels over the spots of sections.

    Parameters
    ----------
    data
        File or folder with measured sections.
    out
        CSV file for the table: every pair, with p by random maps that are as smooth.
    overwrite
        Replace a table that is already there.
    """
    step(f"Reading {data}")
    from mclstexp.api.associations import SpotScanConfig, associate_spots
    from mclstexp.core.options import build

    said: dict[str, Any] = {"traits": scanned.traits, "markers": scanned.markers}
    said |= {"n_axes": scanned.axes, "null": scanned.null}
    said["given"] = [] if scanned.given == "none" else scanned.given.split(",")
    if scanned.genes is not None:
        said["genes"] = str(scanned.genes)
    if scanned.encoder is not None:
        said["encoder"] = scanned.encoder
    found = associate_spots(
        data_config(data, reading),
        build(SpotScanConfig, said, where="associate"),
        tile=tile_spec(tile),
        out=out,
        n_permutations=scanned.permutations,
        overwrite=overwrite,
    )
    _show(found, title=str(data))
    say(str(out))


@associate.command
def individuals(
    traits: Path,
    markers: Path,
    /,
    *,
    out: Path,
    covariates: str | None = None,
    strata: str | None = None,
    hold_out: float = 0.0,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Say which traits go with which markers over individuals, as features of slides with genotypes.

    Parameters
    ----------
    traits
        Table (.csv, .tsv or .parquet) with a row for each individual, named in the first column.
    markers
        The same of markers.
    out
        CSV file for the table: every pair, with p by individuals in another order.
    covariates
        Columns of the first table that are taken out of both sides, as age,sex.
    strata
        Column of the first table: individuals stand for others of the same value alone, as site.
    hold_out
        Share of the individuals in whom what is found is tested again, as 0.5.
    overwrite
        Replace tables that are already there.
    """
    step(f"Reading {traits} and {markers}")
    from mclstexp.api.associations import associate_individuals

    found, again = associate_individuals(
        traits,
        markers,
        out=out,
        covariates=[] if covariates is None else [name.strip() for name in covariates.split(",")],
        strata=strata,
        hold_out=hold_out,
        overwrite=overwrite,
    )
    _show(found, title=f"{traits} and {markers}")
    if again is not None:
        say(f"replicated in those held out: {int(again['replicated'].sum())} of {len(again)} found")
    say(str(out))


def _show(found: Associations, *, title: str) -> None:
    heading = ["trait", "marker", "r", "p", "q", "p of any", "naive p"]
    names = ["p", "q", "p_family", "p_naive"]
    rows = [
        [str(row["trait"]), str(row["marker"]), f"{row['r']:.2f}", *(f"{row[name]:.1e}" for name in names)]
        for _, row in found.table.head(_SHOWN).iterrows()
    ]
    print_table(rows, heading=heading, title=title)
    table = found.table
    n_naive, n_sure = int((table["p_naive"] < 0.05).sum()), len(found.found(by="p_family"))
    say(f"{len(table)} pairs: {len(found.found())} at a false discovery rate below 5 %, {n_sure} at a chance below 5 %")
    say(f"of any false one; as if rows were independent {n_naive} had p < 0.05")
    of = found.inflation["lambda"]
    say(f"λ: {of['p']:.2f}; as if rows were independent {of['p_naive']:.2f} (1 where there is nothing)")
    for note in found.notes:
        say(f"note: {note}")
