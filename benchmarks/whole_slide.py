"""A whole slide from file to file: speed against the encoder alone, and memory as the slide grows.

Run `python benchmarks/whole_slide.py [speed] [scale] [memory]`; all by default. Slides are made for it: a
pyramidal TIFF of JPEG tiles, of synthetic tissue repeated.

speed: DenseNet-121 with random weights on this machine's CPU, 224 px tiles. "encoder alone" has the tiles in memory,
in batches of the same size and the same precision; "whole way" is `predict_slide_file` (tissue, grid, reading,
encoder, regression or retrieval, picture, h5ad). Rounds alternate, medians are compared.

scale: the same of EfficientNet-Lite0, upright, without and with the slide's own scale, which looks at 300 places more.

memory: peak of a process that predicts a slide of 5,000 tiles and one of 50,000, with a small encoder, for what is
asked is not the encoder's.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
import torch
from PIL import Image

from mclstexp.core.predictor import Predictor
from mclstexp.core.tiles import TileSpec
from mclstexp.io.slides import open_slide
from mclstexp.io.synthetic import make_sections
from mclstexp.methods import create
from mclstexp.nn.cpu import prepare_cpu
from mclstexp.nn.image_encoders import create_encoder
from mclstexp.sight.embed import BATCH_SIZE, frozen_encoder
from mclstexp.whole_slide.grid import lay_grid
from mclstexp.whole_slide.one import predict_slide_file
from mclstexp.whole_slide.settings import SlideSettings

SPEC, TILE_PX, SQUARE_PX, N_ROUNDS = TileSpec(224, 0.5), 256, 1024, 3
DENSE, LITE = "random:densenet121", "efficientnet_lite0"
QUICK = {"symmetric": False, "view_widths": (), "context_share": 0.5, "epochs": 5, "k": 50, "sharpness": 1.0}


def main(parts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if "speed" in parts:
            speed(Path(folder), [("ridge", DENSE, {}), ("mclstexp", DENSE, QUICK)])
        if "scale" in parts:
            speed(Path(folder), [("ridge", LITE, {}), ("ridge, slide's scale", LITE, {"slide_scale": True})])
        if "memory" in parts:
            memory(Path(folder))


def speed(folder: Path, ways: list[tuple[str, str, dict]]) -> None:
    slide = write_slide(folder / "speed.tif", n_side=39)
    rows: list[tuple[str, str, float, float]] = []
    for name, encoder, options in ways:
        model = fitted(name.partition(",")[0], encoder, SPEC, **options)
        alone, whole = [], []
        for number in range(N_ROUNDS):
            alone.append(encoder_alone(slide, encoder))
            summary = predict_slide_file(model, slide, out=folder / f"{name}{encoder[-4:]}{number}.h5ad")
            whole.append(summary.n_tiles / summary.seconds)
        rows.append((name, encoder.removeprefix("random:"), statistics.median(alone), statistics.median(whole)))
    print(f"\n{len(grid(slide))} tiles of {SPEC.size_px} px, {torch.get_num_threads()} threads\n")
    print("| method | encoder | encoder alone, tiles/s | whole way, tiles/s | ratio |\n|---|---|---:|---:|---:|")
    for name, encoder, alone_, whole_ in rows:
        print(f"| {name} | {encoder} | {alone_:.1f} | {whole_:.1f} | {whole_ / alone_:.2f} |")


def encoder_alone(slide: Path, encoder: str) -> float:
    """Tiles per second of the network on tiles that are in memory."""
    prepare_cpu()
    network = create_encoder(encoder).to(memory_format=torch.channels_last)
    tiles, dtype = grid(slide), getattr(torch, frozen_encoder(encoder)["precision"])
    images = torch.from_numpy(np.stack([tiles.read(i) for i in range(len(tiles))])).permute(0, 3, 1, 2)
    started = time.monotonic()
    with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        for batch in images.split(BATCH_SIZE["cpu"]):
            network(batch)
    return len(tiles) / (time.monotonic() - started)


def grid(slide: Path):
    return lay_grid(open_slide(slide), SPEC, settings=SlideSettings()).tiles


def memory(folder: Path) -> None:
    rows = []
    for n_side in (71, 224):
        slide = write_slide(folder / f"{n_side}.tif", n_side=n_side)
        command = [sys.executable, __file__, "one", str(slide), str(folder / f"{n_side}.h5ad")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append((slide.stat().st_size, json.loads(done.stdout.splitlines()[-1])))
        slide.unlink()
    print("\n| tiles | slide, MB | tiles/s | peak, MiB | ratio |\n|---:|---:|---:|---:|---:|")
    for size, row in rows:
        peak, ratio = row["peak_mib"], row["peak_mib"] / rows[0][1]["peak_mib"]
        print(f"| {row['n_tiles']} | {size / 1e6:.0f} | {row['rate']:.0f} | {peak:.0f} | {ratio:.2f} |")


def one(slide: Path, out: Path) -> None:
    """Predict one slide in this process and say what it took."""
    summary = predict_slide_file(fitted("pls", "random:test_efficientnet", SPEC), slide, out=out)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"n_tiles": summary.n_tiles, "rate": summary.n_tiles / summary.seconds, "peak_mib": peak}))


def fitted(name: str, encoder: str, spec: TileSpec, **options) -> Predictor:
    sections = make_sections(2, n_spots_side=16, n_genes=1000, mpp=1.0, spec=spec)
    return create(name, encoder=encoder, **options).fit(sections)


def write_slide(path: Path, *, n_side: int, inside: bool = True) -> Path:
    """Write a pyramidal TIFF of n_side x n_side tiles of `SPEC`: one square of tissue, repeated.

    Its levels lie `inside` the first, as SubIFDs, or as pages of their own, as OpenSlide wants them.
    """
    (section,) = make_sections(1, n_spots_side=10, n_genes=4, mpp=0.5, seed=3)
    slide, side = section.tiles.slide, n_side * SPEC.size_px
    middle = np.array(slide.size_px) / 2
    square = slide.read(middle, TileSpec(SQUARE_PX, 0.5))
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        levels = [2**n for n in range(8) if side >> n > 2 * TILE_PX]
        for number, shrink in enumerate(levels):
            small = np.asarray(Image.fromarray(square).reduce(shrink))
            shape = (side // shrink, side // shrink, 3)
            file.write(
                mosaic(small, shape[0]),
                shape=shape,
                dtype=np.uint8,
                tile=(TILE_PX, TILE_PX),
                compression="jpeg",
                compressionargs={"level": 85},
                photometric="rgb",
                subifds=len(levels) - 1 if number == 0 and inside else None,
                subfiletype=0 if number == 0 else 1,
                resolution=(1e4 / (0.5 * shrink), 1e4 / (0.5 * shrink)),
                resolutionunit="CENTIMETER",
                metadata=None,
            )
    return path


def mosaic(square: np.ndarray, side: int) -> Iterator[np.ndarray]:
    """Yield the tiles of a picture of `side` pixels that repeats the square."""
    padded = np.pad(square, ((0, TILE_PX), (0, TILE_PX), (0, 0)), mode="wrap")
    for y in range(0, side, TILE_PX):
        for x in range(0, side, TILE_PX):
            top, left = y % len(square), x % len(square)
            yield padded[top : top + TILE_PX, left : left + TILE_PX]


if __name__ == "__main__":
    if sys.argv[1:2] == ["one"]:
        one(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(sys.argv[1:] or ["speed", "scale", "memory"])
