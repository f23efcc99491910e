"""Predictions for other programs: Seurat, QuPath."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from anndata import AnnData

from mclstexp.core import keys
from mclstexp.core.doors import word
from mclstexp.core.errors import InputError
from mclstexp.core.options import suggest
from mclstexp.io.atomic import atomic_path
from mclstexp.io.predictions import read_prediction
from mclstexp.io.qupath_tiles import tiles_geojson
from mclstexp.io.seurat_folder import ABOUT, write_seurat_folder
from mclstexp.io.targets import require_free, require_free_file

Program = Literal["seurat", "qupath"]
PROGRAMS: Final[tuple[Program, ...]] = get_args(Program)
MOST_FOR_QUPATH: Final = 50
"""Genes of a file for QuPath where none are named: it holds all of them as text."""


def export_prediction(
    prediction: AnnData | Path | str,
    *,
    to: Program,
    out: Path | str,
    genes: Sequence[str] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a prediction so that another program opens it.

    Parameters
    ----------
    prediction
        What `predict` wrote or returned; answers of `impute` and `enhance` are such, too.
    to
        "seurat": a folder of 10x's three files with ``coordinates.csv`` and ``about.json``; "qupath": GeoJSON of tiles
        with values.
    out
        The folder, or the file.
    genes
        Which; all by default, for QuPath up to `MOST_FOR_QUPATH`.
    overwrite
        Whether what is there is replaced: a file, or such a folder.

    Raises
    ------
    InputError
        If it is no prediction or has no places, a gene was not predicted, there are more than QuPath takes, or the
        place is taken or cannot be written to.
    """
    out = Path(out)
    if to not in PROGRAMS:
        msg = f"{word('to')} one of {', '.join(PROGRAMS)} expected, found {to!r}"
        raise InputError(msg)
    if to == "seurat":
        require_free(out, mark=ABOUT, what="the export", overwrite=overwrite)
    else:
        made_of = [] if isinstance(prediction, AnnData) else [prediction]
        require_free_file(out, what="the export", overwrite=overwrite, made_of=made_of)
    where = "the prediction" if isinstance(prediction, AnnData) else str(prediction)
    read = prediction if isinstance(prediction, AnnData) else read_prediction(prediction)
    chosen = _chosen(read, genes, where=where)
    if to == "seurat":
        return write_seurat_folder(chosen, out)
    if genes is None and chosen.n_vars > MOST_FOR_QUPATH:
        msg = (
            f"{MOST_FOR_QUPATH} genes at most expected for QuPath, found {chosen.n_vars} in {where}: choose some with "
        )
        raise InputError(msg + word("genes"))
    said = chosen.uns[keys.PROVENANCE]
    text = tiles_geojson(
        np.asarray(chosen.obsm[keys.SPATIAL]),
        side_px=_side_px(chosen, where=where),
        values={str(gene): np.asarray(chosen[:, gene].X).ravel() for gene in chosen.var_names},
        origin_px=tuple(said.get("slide_bounds_px", (0, 0)))[:2],
    )
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return out


def _chosen(predicted: AnnData, genes: Sequence[str] | None, *, where: str) -> AnnData:
    """Keep the genes that are wanted, and tiles that could be read."""
    if keys.PROVENANCE not in predicted.uns or keys.SPATIAL not in predicted.obsm:
        msg = f"a prediction with places expected, found none in {where}: give what mclstexp predict wrote"
        raise InputError(msg)
    for gene in genes or ():
        if gene not in predicted.var_names:
            msg = f"a gene that was predicted expected, found {gene!r}: {suggest(gene, map(str, predicted.var_names))}"
            raise InputError(msg)
    chosen = predicted[:, list(genes)] if genes is not None else predicted
    known = np.isfinite(np.asarray(chosen.X)).all(axis=1)
    if not known.all():
        n_lost = int((~known).sum())
        warnings.warn(f"{where}: {n_lost} of {len(known)} places without a value are left out", stacklevel=3)
    return chosen[known].copy()


def _side_px(predicted: AnnData, *, where: str) -> float:
    said = predicted.uns[keys.PROVENANCE]
    mpp = said.get("slide_mpp")
    if mpp and "stride_um" in said:
        return float(min(said["stride_um"], said["tile_size_um"]) / mpp)
    if "tile_side_px" in said:
        return float(said["tile_side_px"])
    msg = f"a prediction that says how large its tiles are expected, found none in {where}: predict it again"
    raise InputError(msg)
