"""A slide's prediction, made up: where a tile lies can be read off its numbers."""

import json
from dataclasses import asdict

import anndata as ad
import numpy as np
import pandas as pd
import shapely

from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.tiles import Slide, Tiles, TileSpec
from mclstexp.io.slides import ArraySlide

GENES = ("COLUMN", "ROW", "CALM", "DARK")
UNREADABLE = "3x14"
"""The tile without a prediction."""
SPEC = TileSpec(28, 4.0)


def corner_slide(size_px=(900, 600), *, mpp=4.0, id="corner"):  # noqa: A002
    """A pale slide, dark in its upper left corner, so that every flip shows."""
    image = np.full((size_px[1], size_px[0], 3), (235, 200, 220), np.uint8)
    image[: size_px[1] // 3, : size_px[0] // 3] = (90, 40, 110)
    return ArraySlide(image, mpp=mpp, id=id)


def made_prediction(slide: Slide | None = None, *, spec=SPEC, stride_um=112.0, n_genes=4) -> ad.AnnData:
    """A prediction in the format of `predict_slide`: tiles on two regions, one of them with a hole."""
    slide = corner_slide() if slide is None else slide
    tiles = Tiles.grid(slide, spec=spec, stride_um=stride_um)
    regions = _regions(slide)
    inside = np.stack([shapely.contains_xy(region, *tiles.xy.T) for region in regions])
    tiles = tiles.take(inside.any(axis=0))
    region = inside[:, inside.any(axis=0)].argmax(axis=0)
    columns, rows = tiles.array_xy.T
    dark = np.array([255 - tiles.read(i).mean() for i in range(len(tiles))]) if len(tiles) < 5000 else columns
    values = np.stack([columns, rows, 0.01 * np.cos(columns), dark / 100], axis=1).astype(np.float32)
    noise = np.random.default_rng(0).random((len(tiles), n_genes - 4), dtype=np.float32)
    values = np.concatenate([values, noise], axis=1)
    unreadable = tiles.ids == UNREADABLE
    values[unreadable] = np.nan
    names = [*GENES, *(f"G{i}" for i in range(n_genes - 4))]
    obs = pd.DataFrame(
        {
            "section": slide.id,
            "array_col": columns.astype(int),
            "array_row": rows.astype(int),
            "tissue": pd.Categorical(np.array(["1", "left, lower"])[region]),
            "unreadable": unreadable,
            "reference_distance": np.linspace(0, 1, len(tiles), dtype=np.float32),
        },
        index=pd.Index(tiles.ids.astype(object)),
    )
    return ad.AnnData(
        values,
        obs=obs,
        var=pd.DataFrame(index=pd.Index(names, dtype=object)),
        obsm={"spatial": np.array(tiles.xy)},
        uns={"mclstexp": _said(slide, spec, stride_um=stride_um, regions=regions)},
    )


def _regions(slide):
    width, height = slide.size_px
    ring = shapely.Point(0.6 * width, 0.5 * height).buffer(0.4 * height)
    hole = shapely.Point(0.6 * width, 0.5 * height).buffer(0.12 * height)
    return [ring - hole, shapely.box(0.02 * width, 0.55 * height, 0.25 * width, 0.9 * height)]


def _said(slide, spec, *, stride_um, regions):
    features = [
        {"type": "Feature", "geometry": shapely.geometry.mapping(region), "properties": {"name": name}}
        for region, name in zip(regions, ("1", "left, lower"), strict=True)
    ]
    space = {k: v for k, v in ExpressionSpace(genes=GENES).to_dict().items() if k != "genes"}
    return {
        "method": "ridge",
        "options": {"alpha": "1.0"},
        "sections": {"A": "0" * 64},
        "space": space,
        "spec": asdict(spec),
        "slide": slide.id,
        "slide_mpp": slide.mpp,
        "slide_size_px": list(slide.size_px),
        "stride_um": stride_um,
        "tile_size_um": spec.size_um,
        "tile_side_px": spec.size_um / slide.mpp,
        "tissue": json.dumps({"type": "FeatureCollection", "features": features}),
    }
