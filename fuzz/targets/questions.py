"""The neighbouring questions: a section with a reference of single cells, one made finer, and one divided."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

import st_files
import tenx_files as tenx
from fuzz.case import Target
from made_bands import made_bands
from made_cells import made_cells, made_spots
from mclstexp.api.domains import find_domains_file
from mclstexp.api.enhancement import enhance_file
from mclstexp.api.imputation import impute_file
from mclstexp.core.tiles import TileSpec
from mclstexp.domains import create_domain_finder
from mclstexp.evaluation.config import DataConfig
from mclstexp.io.predictions import read_prediction, write_prediction


def _make_imputation(folder: Path) -> None:
    spots, cells = made_spots(40)[:, :90].copy(), made_cells(60)
    for name in ("h5ad", "zarr", "h5", "tsv"):
        (folder / name).mkdir()
    spots.write_zarr(folder / "h5ad" / "section.zarr")
    for name in ("zarr", "h5", "tsv"):
        spots.write_h5ad(folder / name / "section.h5ad")
    cells.write_h5ad(folder / "h5ad" / "cells.h5ad")
    cells.write_zarr(folder / "zarr" / "cells.zarr")
    features = pd.DataFrame({"id": cells.var_names, "name": cells.var_names, "type": "Gene Expression"})
    tenx.write_h5(folder / "h5" / "cells.h5", list(cells.obs_names), cells.to_df().to_numpy(np.int32), features)
    cells.to_df().astype(int).to_csv(folder / "tsv" / "cells.tsv", sep="\t")


def _use_imputation(folder: Path) -> None:
    section, cells = (next(folder.glob(f"{name}.*"), folder / f"{name}.h5ad") for name in ("section", "cells"))
    out = folder / "out.h5ad"
    impute_file(DataConfig(path=str(section)), cells, out=out)
    found = read_prediction(out)
    assert np.isfinite(found.X).all(), "numbers that are not finite"
    assert -20 < found.X.min() <= found.X.max() < 20, "no logarithms of shares"


def _make_enhancement(folder: Path) -> None:
    (folder / "st").mkdir()
    st_files.write_st_folder(folder / "st" / "r1")
    tenx.write_outs(folder / "visium", form="csv", matrix="h5")


def _use_enhancement(folder: Path) -> None:
    out = folder / "out.h5ad"
    enhance_file(DataConfig(path=str(folder)), out=out, spec=TileSpec(8, 2.0))
    found = read_prediction(out)
    assert np.isfinite(found.X).all(), "numbers that are not finite"
    assert (found.layers["variance"] >= 0).all(), "variance below zero"
    assert found.obs["in_section"].any(), "no spot among the places"


def _make_domains(folder: Path) -> None:
    bands = made_bands(side=8, n_genes=20, n_marked=9)
    for name in ("counts", "prediction"):
        (folder / name).mkdir()
    bands.counts.write_h5ad(folder / "counts" / "section.h5ad")
    predicted = AnnData(np.log1p(bands.counts.X.toarray()), obs=bands.counts.obs, obsm={"spatial": bands.tiles.xy})
    predicted.obs["section"], predicted.uns["mclstexp"] = "s1", {"space": {"scale": "log"}}
    write_prediction(predicted, folder / "prediction" / "section.h5ad")


def _use_domains(folder: Path) -> None:
    out = folder / "out.h5ad"
    method = create_domain_finder("spatial_kmeans", n_genes=20, n_components=3)
    find_domains_file(DataConfig(path=str(folder / "section.h5ad")), out=out, method=method, n_domains=2)
    domains = read_prediction(out).obs["domain"]
    assert set(domains.dropna()) <= {"1", "2"}, "other names than numbers"
    assert domains.notna().any(), "no domain"


TARGETS = (
    Target("imputation", _make_imputation, _use_imputation),
    Target("enhancement", _make_enhancement, _use_enhancement),
    Target("domains", _make_domains, _use_domains),
)
