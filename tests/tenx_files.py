"""Tiny Space Ranger folders, written as each version writes them."""

import gzip
import json

import h5py
import numpy as np
import pandas as pd
import tifffile
from scipy import sparse
from scipy.io import mmwrite

MPP = 2.0
SQUARE = 7
"""Number of the spot under the one bright square."""
N_ROWS, N_COLS = 5, 6
FEATURES = pd.DataFrame(
    {
        "id": ["ENSG1", "ENSG2", "ENSG3", "ENSG4", "AB1"],
        "name": ["ACTB", "TBCE", "KRT5", "TBCE", "CD3"],
        "type": ["Gene Expression"] * 4 + ["Antibody Capture"],
    }
)


def hexagonal():
    """Positions of a Visium array whose spots lie 50 px apart (2 µm/px); the last three are beside the tissue."""
    row, k = (a.ravel() for a in np.meshgrid(np.arange(N_ROWS), np.arange(N_COLS), indexing="ij"))
    col = 2 * k + row % 2
    n = len(row)
    return pd.DataFrame(
        {
            "barcode": [f"AAAC{i:04d}-1" for i in range(n)],
            "in_tissue": (np.arange(n) < n - 3).astype(int),
            "array_row": row,
            "array_col": col,
            "pxl_row_in_fullres": np.round(60 + row * 50 * np.sqrt(3) / 2).astype(int),
            "pxl_col_in_fullres": 80 + col * 25,
        }
    )


def picture(positions, *, scale=1.0, size_px=(340, 440), half=6):
    """Dark image (height, width) with one bright square on spot number `SQUARE`."""
    array = np.full((*(round(side * scale) for side in size_px), 3), 40, np.uint8)
    spot = positions.iloc[SQUARE]
    y, x = (round(spot[f"pxl_{axis}_in_fullres"] * scale) for axis in ("row", "col"))
    half = round(half * scale)
    array[y - half : y + half, x - half : x + half] = 250
    return array


def counts_of(n):
    """(n, 5) counts: gene 0 counts the spot's own number."""
    counts = np.zeros((n, len(FEATURES)), np.int32)
    counts[:, 0] = np.arange(n)
    counts[:, 1:] = [1, 2, 3, 99]
    return counts


def write_h5(path, barcodes, counts, features=FEATURES):
    matrix = sparse.csr_matrix(counts)
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array(barcodes, "S")
        group["data"], group["indices"], group["indptr"] = matrix.data, matrix.indices, matrix.indptr
        group["shape"] = np.array([matrix.shape[1], matrix.shape[0]])
        for column, key in (("id", "id"), ("name", "name"), ("type", "feature_type")):
            group[f"features/{key}"] = features[column].to_numpy().astype("S")


def write_trio(folder, barcodes, counts, *, gz=True, version=3):
    folder.mkdir()
    ending, opener = (".gz", gzip.open) if gz else ("", open)
    with opener(folder / f"matrix.mtx{ending}", "wb") as file:
        mmwrite(file, sparse.coo_matrix(counts.T), field="integer")
    features = FEATURES[["id", "name", "type"]] if version == 3 else FEATURES[["id", "name"]]
    name = "features.tsv" if version == 3 else "genes.tsv"
    features.to_csv(folder / f"{name}{ending}", sep="\t", header=False, index=False)
    pd.Series(barcodes).to_csv(folder / f"barcodes.tsv{ending}", header=False, index=False)


def write_positions(folder, positions, form):
    """Write `positions` as `form`: 'list' (no header), 'list+header', 'csv' or 'parquet'."""
    folder.mkdir(parents=True, exist_ok=True)
    # a file's order is not the matrix's
    positions = positions.iloc[::-1]
    if form == "parquet":
        positions.to_parquet(folder / "tissue_positions.parquet", index=False)
    else:
        name = "tissue_positions.csv" if form == "csv" else "tissue_positions_list.csv"
        positions.to_csv(folder / name, index=False, header=form != "list")


def write_outs(root, *, form="csv", matrix="h5", image="image.tif"):
    """Write a whole `outs` folder; the matrix has the spots in tissue, in array order."""
    outs = root / "outs"
    positions = hexagonal()
    write_positions(outs / "spatial", positions, form)
    inside = positions["barcode"][positions["in_tissue"] == 1].tolist()
    counts = counts_of(len(inside))
    folder = outs / "filtered_feature_bc_matrix"
    if matrix == "h5":
        write_h5(folder.with_suffix(".h5"), inside, counts)
    else:
        write_trio(folder, inside, counts, gz=matrix != "plain", version=2 if matrix == "v2" else 3)
    factors = {"tissue_hires_scalef": 0.5, "spot_diameter_fullres": 32.5}
    (outs / "spatial" / "scalefactors_json.json").write_text(json.dumps(factors))
    if image:
        tifffile.imwrite(outs / image, picture(positions), photometric="rgb")
    return outs
