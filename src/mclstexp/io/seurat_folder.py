"""A prediction as 10x's three files, which Seurat's `Read10X` and scanpy's `read_10x_mtx` open, with places."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from anndata import AnnData
from jaxtyping import Float

from mclstexp.core import keys
from mclstexp.core.progress import counted
from mclstexp.io.atomic import atomic_path

ABOUT: Final = "about.json"
"""By which the folder is known; says what the values are."""
NO_COUNTS: Final = "predicted values, no counts: give them to Seurat as data, and do not normalise them again"
_ROWS: Final = 256
_SUM: Final = "Gene Expression"


def write_seurat_folder(predicted: AnnData, folder: Path) -> Path:
    """Write ``matrix.mtx.gz``, ``barcodes.tsv.gz``, ``features.tsv.gz``, ``coordinates.csv`` and ``about.json``.

    Parameters
    ----------
    predicted
        What `read_prediction` returned, its values finite.
    folder
        The folder; it appears whole or not at all, in place of one that is there.

    Raises
    ------
    InputError
        If the place cannot be written to.
    """
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        _lines(temporary / "barcodes.tsv.gz", predicted.obs_names)
        ids = predicted.var.get(keys.GENE_ID, predicted.var_names)
        names = zip(ids.astype(str), predicted.var_names, strict=True)
        _lines(temporary / "features.tsv.gz", (f"{gene_id}\t{name}\t{_SUM}" for gene_id, name in names))
        _write_matrix(temporary / "matrix.mtx.gz", predicted)
        places = predicted.obs.copy()
        places.insert(0, "y_px", np.asarray(predicted.obsm[keys.SPATIAL])[:, 1])
        places.insert(0, "x_px", np.asarray(predicted.obsm[keys.SPATIAL])[:, 0])
        places.to_csv(temporary / "coordinates.csv", index_label="barcode")
        (temporary / ABOUT).write_text(json.dumps(about(predicted), indent=1, default=str), encoding="utf-8")
    return folder


def about(predicted: AnnData) -> dict[str, Any]:
    """Say what the values are, and how far apart places lie: µm per pixel, the side of a tile."""
    said = predicted.uns[keys.PROVENANCE]
    kept = ("method", "version", "slide", "slide_mpp", "tile_size_um", "tile_side_px", "space", keys.IDENTITY)
    return {"values": NO_COUNTS, **{name: said[name] for name in kept if name in said}}


def _lines(path: Path, lines: Any) -> None:
    with gzip.open(path, "wt", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def _write_matrix(path: Path, predicted: AnnData) -> None:
    """Write features by barcodes, column by column, as 10x does; zeros are left out."""
    n_values = sum(int(np.count_nonzero(_block(predicted, start))) for start in range(0, predicted.n_obs, _ROWS))
    with gzip.open(path, "wb", compresslevel=4) as file, counted("writing", predicted.n_obs, unit="place") as done:
        head = f"%%MatrixMarket matrix coordinate real general\n%{NO_COUNTS}\n"
        file.write(f"{head}{predicted.n_vars} {predicted.n_obs} {n_values}\n".encode())
        for start in range(0, predicted.n_obs, _ROWS):
            done(_write_block(file, _block(predicted, start), start), "")


def _write_block(file: gzip.GzipFile, block: Float[np.ndarray, "n n_genes"], start: int) -> int:
    place, gene = np.nonzero(block)
    table = pd.DataFrame({"gene": gene + 1, "place": start + place + 1, "value": block[place, gene].astype(np.float64)})
    text = table.to_csv(sep=" ", header=False, index=False, float_format="%.6g", lineterminator="\n")
    file.write(text.encode())
    return len(block)


def _block(predicted: AnnData, start: int) -> Float[np.ndarray, "n n_genes"]:
    return np.asarray(predicted.X[start : start + _ROWS], np.float32)
