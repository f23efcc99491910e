"""Xenium, CosMx and MERSCOPE: small folders made as their makers write them."""

import json

import h5py
import numpy as np
import pandas as pd
import tifffile
from scipy import sparse

RNG = np.random.default_rng(0)
N = 60
XY_UM = RNG.uniform([20, 30], [270, 190], (N, 2))
COUNTS = RNG.poisson(1.0, (N, 6)).astype(np.int32)
GENES = ["ACTB", "ESR1", "KRT5"]
MPP = 0.5
"""Of the H&E image, whose pixels lead to the assay's frame by a turn of 180° and a shift."""
SIZE_PX = (640, 480)


def image(path, *, mpp=MPP):
    picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), (190, 120, 170), np.uint8)
    resolution = (1e4 / mpp, 1e4 / mpp)
    tifffile.imwrite(path, picture, photometric="rgb", resolution=resolution, resolutionunit="CENTIMETER")
    return path


def alignment(path, frame_mpp):
    """From pixels of the image to those of the assay's frame: turned by 180° about (150, 110) µm."""
    k = MPP / frame_mpp
    matrix = [[-k, 0, 300 / frame_mpp], [0, -k, 220 / frame_mpp], [0, 0, 1]]
    path.write_text("\n".join(",".join(map(str, row)) for row in matrix))
    return path


def on_image(xy_um):
    return (np.array([300, 220]) - xy_um) / MPP


def xenium(root, *, form="csv.gz", h5=True):
    outs = root / "sample" / "outs"
    outs.mkdir(parents=True)
    (outs / "experiment.xenium").write_text(json.dumps({"pixel_size": 0.2125, "run_name": "r"}))
    ids = [f"cell{i:03d}-1" for i in range(N)]
    table = pd.DataFrame({"cell_id": ids, "x_centroid": XY_UM[:, 0], "y_centroid": XY_UM[:, 1], "cell_area": 50.0})
    table = table.iloc[::-1]  # not in the matrix's order
    if form == "parquet":
        table.assign(cell_id=[name.encode() for name in table["cell_id"]]).to_parquet(outs / "cells.parquet")
    else:
        table.to_csv(outs / f"cells.{form}", index=False)
    matrix = sparse.csr_matrix(COUNTS)
    names = [*GENES, "NegControlProbe_00042", "UnassignedCodeword_0001", "BLANK_0006"]
    kinds = ["Gene Expression"] * 3 + ["Negative Control Probe", "Unassigned Codeword", "Gene Expression"]
    with h5py.File(outs / "cell_feature_matrix.h5", "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array(ids, "S")
        group["data"], group["indices"], group["indptr"] = matrix.data, matrix.indices, matrix.indptr
        group["shape"] = np.array([6, N])
        for key, values in (("id", names), ("name", names), ("feature_type", kinds)):
            group[f"features/{key}"] = np.array(values, "S")
    image(outs / "sample_he_image.ome.tif")
    alignment(outs / "sample_he_imagealignment.csv", 0.2125)
    return outs


def cosmx(root, *, gz=True):
    folder = root / "slide1"
    folder.mkdir()
    fov = np.arange(N) % 2 + 1
    cell = np.arange(N) // 2 + 1
    names = [*GENES, "NegPrb1", "SystemControl7", "FalseCode3"]
    table = pd.DataFrame(COUNTS, columns=names)
    table.insert(0, "cell_ID", cell)
    table.insert(0, "fov", fov)
    outside = pd.DataFrame([[1, 0, *[9] * 6], [2, 0, *[9] * 6]], columns=table.columns)
    places = pd.DataFrame({"fov": fov, "cell_ID": cell, "Area": 3000})
    places[["CenterX_global_px", "CenterY_global_px"]] = XY_UM / 0.12
    fields = pd.DataFrame({"fov": [1, 2], "x_global_px": [0, 5000], "y_global_px": [0, 0]})
    fields[["x_global_mm", "y_global_mm"]] = fields[["x_global_px", "y_global_px"]] * 0.12 / 1000
    ending = ".gz" if gz else ""
    pd.concat([outside, table]).to_csv(folder / f"slide1_exprMat_file.csv{ending}", index=False)
    places.iloc[::-1].to_csv(folder / f"slide1_metadata_file.csv{ending}", index=False)
    fields.to_csv(folder / f"slide1_fov_positions_file.csv{ending}", index=False)
    image(folder / "slide1_HE.tif")
    alignment(folder / "slide1_HE_alignment.csv", 0.12)
    return folder


def merscope(root, *, shift_um=(40.0, -10.0)):
    folder = root / "region_0"
    (folder / "images").mkdir(parents=True)
    names = [*GENES, "Blank-1", "Blank-2", "Blank-17"]
    ids = [f"{1000 + i}" for i in range(N)]
    pd.DataFrame(COUNTS, columns=names, index=pd.Index(ids, name="cell")).to_csv(folder / "cell_by_gene.csv")
    places = pd.DataFrame({"fov": 0, "volume": 500.0, "center_x": XY_UM[:, 0], "center_y": XY_UM[:, 1]}, index=ids)
    places[["center_x", "center_y"]] += shift_um
    places.iloc[::-1].to_csv(folder / "cell_metadata.csv")
    k = 1 / 0.108
    rows = [f"{k} 0 {-shift_um[0] * k}", f"0 {k} {-shift_um[1] * k}", "0 0 1"]
    (folder / "images" / "micron_to_mosaic_pixel_transform.csv").write_text("\n".join(rows))
    image(folder / "region_0_HE.tif")
    alignment(folder / "region_0_HE_alignment.csv", 0.108)
    return folder
