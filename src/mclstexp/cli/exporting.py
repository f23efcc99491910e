"""`export`: a prediction for Seurat or QuPath."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from mclstexp.cli.application import app
from mclstexp.cli.questions import gene_names
from mclstexp.cli.terminal import say
from mclstexp.core.progress import step


@app.command
def export(
    prediction: Path,
    /,
    *,
    to: Literal["seurat", "qupath"],
    out: Path,
    genes: str | None = None,
    overwrite: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Write a prediction so that Seurat or QuPath opens it.

    Parameters
    ----------
    prediction
        What `mclstexp predict` wrote (.h5ad).
    to
        seurat: a folder with matrix.mtx.gz, barcodes.tsv.gz, features.tsv.gz (as 10x's), coordinates.csv and
        about.json; qupath: GeoJSON of tiles with values (File, Import objects).
    out
        The folder, or the file (.geojson).
    genes
        Which: a file with one gene a line, or names as ESR1,ERBB2; all by default.
    overwrite
        Replace what is already there.
    """
    step(f"Reading {prediction}")
    from mclstexp.api.exports import export_prediction
    from mclstexp.io.seurat_folder import NO_COUNTS

    chosen = None if genes is None else gene_names(genes)
    say(str(export_prediction(prediction, to=to, out=out, genes=chosen, overwrite=overwrite)))
    say(NO_COUNTS if to == "seurat" else "in QuPath: File, Import objects; Measure, Show measurement maps")
