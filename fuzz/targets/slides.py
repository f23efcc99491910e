"""Slides, ready-made tiles and outlines on a slide: headers and pixels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from dicom_files import write_dicom
from fuzz.case import Target
from mclstexp.core.tiles import TileSpec
from mclstexp.data.tissue import find_tissue
from mclstexp.io.regions import read_geojson
from mclstexp.io.slides import ArraySlide, open_slide, probe_slide
from mclstexp.io.tile_folder import read_tiles

_SPEC = TileSpec(16, 1.0)


def _pixels() -> np.ndarray:
    """As large and as pink as what is taken for tissue."""
    pixels = np.full((300, 400, 3), (240, 240, 242), np.uint8)
    noise = np.random.default_rng(0).integers(-40, 40, (240, 320, 3))
    pixels[30:270, 40:360] = np.array((190, 110, 160)) + noise
    return pixels


def _make(folder: Path) -> None:
    pixels = _pixels()
    for name in ("png", "jpg", "webp", "bmp", "jp2"):
        (folder / name).mkdir()
        Image.fromarray(pixels).save(folder / name / f"slide.{name}")
    for name, given in {
        "striped": {},
        "tiled": {"tile": (64, 64), "compression": "zlib"},
        "jpeg": {"tile": (64, 64), "compression": "jpeg"},
        "lzw": {"compression": "lzw", "predictor": True},
        "alpha": {"extrasamples": ["unspecified"]},
        "imagej": {"imagej": True, "metadata": {"unit": "um"}},
        "svs": {
            "tile": (64, 64),
            "compression": "jpeg",
            "description": "Aperio Image Library v1\r\n400x300|AppMag = 20|MPP = 0.5",
        },
    }.items():
        (folder / name).mkdir()
        data = np.dstack([pixels, np.zeros((300, 400), np.uint8)]) if name == "alpha" else pixels
        file = folder / name / ("slide.svs" if name == "svs" else "slide.tif")
        tifffile.imwrite(file, data, photometric="rgb", resolution=(1e4, 1e4), resolutionunit="CENTIMETER", **given)
    (folder / "ome").mkdir()
    with tifffile.TiffWriter(folder / "ome" / "slide.ome.tif", ome=True) as writer:
        said = {"axes": "YXS", "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0, "PhysicalSizeXUnit": "µm"}
        writer.write(pixels, subifds=1, tile=(64, 64), photometric="rgb", metadata=said)
        writer.write(pixels[::2, ::2], subfiletype=1, tile=(64, 64), photometric="rgb")
    (folder / "dicom").mkdir()
    write_dicom(folder / "dicom" / "slide.dcm", pixels, mpp=1.0)


def _use(folder: Path) -> None:
    there = [path for path in sorted(folder.iterdir()) if path.name.startswith("slide.")]
    path = there[0] if there else folder / "slide.tif"
    header = probe_slide(path)
    assert header.mpp is None or 0 < header.mpp < 1e4, "a scale that is none"
    slide = open_slide(path, mpp=header.mpp or 1.0)
    for xy in ((200, 150), (0, 0), (399, 299)):
        assert slide.read(xy, _SPEC).shape == (16, 16, 3), "a tile of another size"
    slide.thumbnail(64)
    find_tissue(slide)


def _make_tiles(folder: Path) -> None:
    for name, ending in (("placed", "png"), ("numbered", "jpg")):
        (folder / name).mkdir()
        for number in range(4):
            stem = f"t_x{16 * number + 8}_y8" if name == "placed" else f"tile{number}"
            Image.fromarray(_pixels()[40:56, 50 + number : 66 + number]).save(folder / name / f"{stem}.{ending}")


def _use_tiles(folder: Path) -> None:
    tiles = read_tiles(folder, spec=TileSpec(16, 1.0))
    for row in range(len(tiles)):
        assert tiles.read(row).shape == (16, 16, 3), "a tile of another size"


def _make_outlines(folder: Path) -> None:
    ring = [[40, 30], [160, 30], [160, 120], [40, 120], [40, 30]]
    hole = [[60, 50], [80, 50], [80, 70], [60, 50]]
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring, hole]},
            "properties": {
                "objectType": "annotation",
                "name": "a",
                "classification": {"name": "Tumor", "color": [1, 2, 3]},
            },
        },
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {}},
    ]
    for name, content in {"collection": {"type": "FeatureCollection", "features": features}, "list": features}.items():
        (folder / name).mkdir()
        (folder / name / "mask.geojson").write_text(json.dumps(content), encoding="utf-8")


def _use_outlines(folder: Path) -> None:
    slide = ArraySlide(_pixels(), mpp=1.0, id="slide")
    regions = read_geojson(folder / "mask.geojson", slide=slide)
    assert len(regions) > 0, "no region"
    assert np.isfinite(regions.area_um2(1.0)), "an area that is none"
    regions.locate(np.array([[100.0, 60.0]]))


TARGETS = (
    Target("slides", _make, _use),
    Target("tiles", _make_tiles, _use_tiles),
    Target("geojson", _make_outlines, _use_outlines),
)
