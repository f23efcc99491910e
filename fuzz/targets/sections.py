"""Measured sections in every format; what is accepted must be a section that can be worked with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import tifffile
from PIL import Image

import st_files
import tenx_files as tenx
from fuzz.case import Target
from mclstexp.core.tiles import TileSpec
from mclstexp.io.read import read_sections

_SPEC = TileSpec(size_px=8, mpp=2.0)


def read(folder: Path, **given: Any) -> None:
    """Read all sections of a folder and look at them as a fit would."""
    for section in read_sections(folder, spec=_SPEC, **given):
        assert np.isfinite(section.tiles.xy).all(), "places that are not finite"
        assert 0 < section.tiles.slide.mpp < 1e4, "a scale that is none"
        data = section.counts.X.data
        assert len(data) == 0 or data.min() >= 0, "counts below zero"
        assert len(set(section.genes)) == len(section.genes), "a gene twice"
        for row in (0, len(section) - 1):
            assert section.tiles.read(row).shape == (8, 8, 3), "a tile of another size"


def _make_visium(folder: Path) -> None:
    for form, matrix in (("csv", "h5"), ("list", "mtx"), ("parquet", "h5"), ("list+header", "v2")):
        tenx.write_outs(folder / f"{form}-{matrix}", form=form, matrix=matrix)


def _make_visium_hd(folder: Path) -> None:
    row, col = (a.ravel() for a in np.meshgrid(np.arange(6), np.arange(9), indexing="ij"))
    barcodes = [f"s_008um_{r:05d}_{c:05d}-1" for r, c in zip(row, col, strict=True)]
    bins = folder / "sample" / "outs" / "binned_outputs" / "square_008um"
    places = pd.DataFrame({"barcode": barcodes, "in_tissue": 1, "array_row": row, "array_col": col})
    places["pxl_row_in_fullres"], places["pxl_col_in_fullres"] = 30.0 + row * 16, 60.0 + col * 16
    tenx.write_positions(bins / "spatial", places, "parquet")
    tenx.write_h5(bins / "filtered_feature_bc_matrix.h5", barcodes, tenx.counts_of(len(row)))
    factors = {"bin_size_um": 8.0, "microns_per_pixel": 0.5, "spot_diameter_fullres": 16.0, "tissue_hires_scalef": 0.5}
    (bins / "spatial" / "scalefactors_json.json").write_text(json.dumps(factors))
    tifffile.imwrite(bins.parents[1] / "image.tif", np.full((160, 240, 3), (180, 90, 160), np.uint8), photometric="rgb")


def _adata() -> ad.AnnData:
    positions = tenx.hexagonal()
    xy = positions[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(float)
    adata = ad.AnnData(
        tenx.counts_of(len(positions))[:, :3].astype(np.float32),
        obs=positions.set_index("barcode").assign(patient="a", layer=pd.Categorical(["x"] * len(positions))),
        var=pd.DataFrame({"gene_ids": ["E1", "E2", "E3"]}, index=["ACTB", "KRT5", "CD3E"]),
        obsm={"spatial": xy},
    )
    hires = np.full((34, 44, 3), 90, np.uint8)
    factors = {"tissue_hires_scalef": 0.1, "spot_diameter_fullres": 32.5}
    adata.uns["spatial"] = {"lib": {"scalefactors": factors, "images": {"hires": hires}, "metadata": {"v": "1"}}}
    return adata


def _make_h5ad(folder: Path) -> None:
    for name in ("dense", "sparse"):
        (folder / name).mkdir()
        adata = _adata()
        if name == "sparse":
            from scipy import sparse

            adata.layers["counts"] = sparse.csr_matrix(adata.X)
            adata.X = np.log1p(adata.X)
        adata.write_h5ad(folder / name / "s1.h5ad")
        Image.fromarray(tenx.picture(tenx.hexagonal())).save(folder / name / "s1_HE.png")


def _make_hest(folder: Path) -> None:
    xy = np.array([[200.0, 100.0], [350.0, 100.0], [500.0, 260.0], [90.0, 400.0]])
    for name in ("wsi", "patches"):
        root = folder / name
        (root / "st").mkdir(parents=True)
        obs, var = pd.DataFrame({"in_tissue": 1}, index=list("ABCD")), pd.DataFrame(index=["g1", "g2"])
        counts = np.arange(8, dtype=np.float32).reshape(4, 2)
        ad.AnnData(counts, obs=obs, var=var, obsm={"spatial": xy}).write_h5ad(root / "st" / "TENX1.h5ad")
        (root / "metadata").mkdir()
        said = {
            "pixel_size_um_estimated": 0.8,
            "pixel_size_um_embedded": 0.8,
            "patient": "P",
            "st_technology": "Visium",
        }
        (root / "metadata" / "TENX1.json").write_text(json.dumps(said))
        (root / ("wsis" if name == "wsi" else "patches")).mkdir()
        if name == "wsi":
            tifffile.imwrite(root / "wsis" / "TENX1.tif", np.full((520, 640, 3), 120, np.uint8), photometric="rgb")
        else:
            with h5py.File(root / "patches" / "TENX1.h5", "w") as file:
                file["img"] = np.full((4, 224, 224, 3), 120, np.uint8)
                file["coords"] = (xy - 70).astype(int)
                file["barcode"] = np.array([[name] for name in "ABCD"], "S")


def _read_hest(folder: Path) -> None:
    for section in read_sections(folder, spec=TileSpec(224, 0.5)):
        assert section.tiles.read(0).shape == (224, 224, 3), "a tile of another size"


def _make_legacy(folder: Path) -> None:
    (folder / "her2st").mkdir()
    (folder / "cscc").mkdir()
    (folder / "plain").mkdir()
    st_files.write_her2st(folder / "her2st")
    st_files.write_cscc(folder / "cscc")
    st_files.write_st_folder(folder / "plain")


def _make_spatialdata(folder: Path) -> None:
    import spatialdata
    from spatialdata.models import Image2DModel, ShapesModel, TableModel

    positions = tenx.hexagonal()
    xy = positions[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy(float)
    image = Image2DModel.parse(np.moveaxis(tenx.picture(positions), -1, 0), dims=("c", "y", "x"))
    shapes = ShapesModel.parse(xy, geometry=0, radius=13.0)
    table = ad.AnnData(tenx.counts_of(len(xy))[:, :3].astype(np.float32), var=pd.DataFrame(index=["a", "b", "c"]))
    table.obs["region"], table.obs["instance"] = pd.Categorical(["spots"] * len(xy)), np.arange(len(xy))
    table = TableModel.parse(table, region="spots", region_key="region", instance_key="instance")
    store = spatialdata.SpatialData(images={"he": image}, shapes={"spots": shapes}, tables={"table": table})
    (folder / "store").mkdir()
    store.write(folder / "store" / "s.zarr")


TARGETS = (
    Target("visium", _make_visium, read),
    Target("visium_hd", _make_visium_hd, read),
    Target("h5ad", _make_h5ad, lambda folder: read(folder / "s1.h5ad", mpp=None)),
    Target("hest", _make_hest, _read_hest),
    Target("legacy", _make_legacy, read),
    Target("spatialdata", _make_spatialdata, lambda folder: read(folder / "s.zarr", mpp=2.0)),
)
