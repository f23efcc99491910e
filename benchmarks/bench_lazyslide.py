"""Features of one slide's tiles on this machine's CPU: `embed_tiles` against LazySlide's `feature_extraction`.

Run `python benchmarks/bench_lazyslide.py [SLIDE]`; without a slide one is made of synthetic tissue as a pyramid of
tiled TIFF. DenseNet-121 with the same random weights, the same tiles of 224 px at the slide's own µm per pixel (so
that both look at the same pixels), nothing cached. Each way runs in a process of its own. LazySlide's settings are
sought one after the other on a part of the tiles: how the network is given, in which precision, and whether compiled;
batch size; workers. Its best then takes turns with ours on all tiles, and a ratio is the median of the rounds'. Only
the extraction is timed: making the tiles takes LazySlide about 10 ms. LazySlide cannot store bfloat16 features; where
it computes in bfloat16 it is given a network that returns float32. The last row is more than its settings: a network
laid out channels-last by hand. The difference is |features - ours in float32| / |ours|.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import tifffile
import torch

ENCODER, SIZE_PX, N_TILES, N_SOUGHT, N_ROUNDS = "random:densenet121", 224, 500, 96, 5


@dataclass(frozen=True)
class Way:
    """One way to compute the features."""

    package: str = "LazySlide"
    network: str = "TimmModel"
    precision: str = "float32"
    batch_size: int = 32
    num_workers: int = 0
    compile: bool = False
    channels_last: bool = False

    def __str__(self) -> str:
        if self.package != "LazySlide":
            return f"{self.package}, {self.precision}"
        network = "a timm model" if self.network == "TimmModel" else "a network that scales and returns float32"
        more = ", compiled" * self.compile + ", laid out by hand" * self.channels_last
        settings = f"{self.precision}, batches of {self.batch_size}, {self.num_workers} workers"
        return f"LazySlide, {network}, {settings}{more}"


def make_slide(path: Path) -> None:
    from mclstexp.io.synthetic import make_sections

    picture = make_sections(1, n_spots_side=24, mpp=0.5)[0].tiles.slide.thumbnail(100_000)
    with tifffile.TiffWriter(path) as tiff:
        for level in range(3):
            tiff.write(
                np.ascontiguousarray(picture[:: 2**level, :: 2**level]),
                tile=(256, 256),
                photometric="rgb",
                compression="jpeg",
                subfiletype=int(level > 0),
                resolution=(20_000 / 2**level,) * 2,
                resolutionunit="CENTIMETER",
            )


def open_store(slide: Path, n_tiles: int):
    """Tiles all over the slide, overlapping so that there are about as many as asked; the first of them as ``few``."""
    import lazyslide as zs
    from wsidata import open_wsi
    from wsidata.io import subset_tiles

    wsi = open_wsi(slide, store=None)
    height, width = wsi.properties.shape
    stride_px = max(1, int(((height - SIZE_PX) * (width - SIZE_PX) / n_tiles) ** 0.5))
    zs.pp.tile_tissues(wsi, SIZE_PX, stride_px=stride_px, tissue_key=None, background_filter=False)
    subset_tiles(wsi, "tiles", np.arange(min(N_SOUGHT, len(wsi.shapes["tiles"]))), new_key="few")
    return wsi


def network_of(way: Way) -> dict:
    import lazyslide_models as zm
    from torchvision.transforms import v2

    from mclstexp.nn.image_encoders import create_encoder

    encoder = create_encoder(ENCODER)
    if way.channels_last:
        encoder.to(memory_format=torch.channels_last)
    if way.network != "TimmModel":
        return {"model": encoder, "transform": v2.ToImage(), "model_name": "densenet121"}
    model = zm.TimmModel("densenet121", pretrained=False)
    model.model.load_state_dict(encoder.network.state_dict())
    return {"model": model}


def serve(way: Way, slide: Path) -> None:
    """In a process of its own: compute whenever a line names tiles, say how long it took and where features lie."""
    import lazyslide as zs

    from mclstexp.core.tiles import TileSpec
    from mclstexp.nn.image_encoders import create_encoder
    from mclstexp.sight.embed import embed_tiles
    from mclstexp.whole_slide.wsi_tiles import tiles_of

    wsi = open_store(slide, N_TILES)
    given = network_of(way) if way.package == "LazySlide" else {}
    encoder, spec = create_encoder(ENCODER), TileSpec(SIZE_PX, wsi.properties.mpp)
    tiles = {key: tiles_of(wsi, key, spec=spec)[0] for key in ("few", "tiles")}
    dtype = getattr(torch, way.precision, None)  # "auto" is ours alone
    amp = {} if dtype in (None, torch.float32) else {"amp": True, "autocast_dtype": dtype}
    for line in sys.stdin:
        key, file = json.loads(line)
        start = time.perf_counter()
        if way.package == "LazySlide":
            zs.tl.feature_extraction(
                wsi, tile_key=key, batch_size=way.batch_size, num_workers=way.num_workers, compile=way.compile,
                device="cpu", pbar=False, key_added="features", **given, **amp,
            )  # fmt: skip
            features = wsi.tables["features"].X
        else:
            features = embed_tiles(tiles[key], encoder, precision=way.precision)
        seconds = time.perf_counter() - start
        np.save(file, np.asarray(features, np.float32))
        sys.__stdout__.write(json.dumps([len(features), seconds]) + "\n")
        sys.__stdout__.flush()


class Worker:
    """A process that runs one way when it is told."""

    def __init__(self, way: Way, slide: Path, folder: Path) -> None:
        self.way, self.file = way, folder / f"{abs(hash(way))}.npy"
        command = [sys.executable, __file__, json.dumps(asdict(way)), str(slide)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.stdin.close()
        self._process.wait()

    def rate(self, key: str) -> float:
        """Tiles per second; 0 if the way does not work."""
        self._process.stdin.write(json.dumps([key, str(self.file)]) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:  # whatever else a package prints
            if line.startswith("["):
                n_tiles, seconds = json.loads(line)
                return n_tiles / seconds
        return 0.0


def sought(ways: list[Way], slide: Path, folder: Path) -> Way:
    """Return the fastest on a part of the tiles, telling of all."""
    rates = {}
    for way in ways:
        with Worker(way, slide, folder) as worker:
            # the first time is for what is set up once; the better of two, for the machine may have been busy
            rates[way] = worker.rate("few") and max(worker.rate("few") for _ in range(2))
        print(f"    {rates[way]:6.1f} tiles/s  {way}" if rates[way] else f"     fails           {way}", flush=True)
    return max(rates, key=rates.get)


def best_lazyslide(slide: Path, folder: Path) -> Way:
    timm, plain = Way(), Way(network="callable")
    kinds = [timm, replace(timm, precision="float16"), plain, replace(plain, precision="bfloat16")]
    best = sought([replace(kind, compile=compiled) for kind in kinds for compiled in (False, True)], slide, folder)
    best = sought([best, *(replace(best, batch_size=size) for size in (8, 16, 64))], slide, folder)
    return sought([best, *(replace(best, num_workers=number) for number in (1, 2))], slide, folder)


def compare(slide: Path, folder: Path) -> None:
    print("LazySlide's settings, on a part of the tiles:")
    best = best_lazyslide(slide, folder)
    ours = Way("mclstexp", precision="auto")
    ways = [Way(), best, ours, Way("mclstexp", precision="float32"), replace(best, channels_last=True)]
    workers = [Worker(way, slide, folder) for way in ways]
    for worker in workers:
        worker.rate("few")
    rounds = np.array([[worker.rate("tiles") for worker in workers] for _ in range(N_ROUNDS)])
    exact = np.load(workers[3].file)
    print(f"\n{len(exact)} tiles of {slide.name}, {torch.get_num_threads()} threads, {N_ROUNDS} rounds\n")
    print("| way | tiles/s | ours is faster by | difference |\n|---|---|---|---|")
    for number, worker in enumerate(workers):
        features = np.load(worker.file)
        off = np.median(np.linalg.norm(features - exact, axis=1) / np.linalg.norm(exact, axis=1))
        ratio = statistics.median(rounds[:, 2] / rounds[:, number])
        print(f"| {worker.way} | {statistics.median(rounds[:, number]):.1f} | {ratio:.2f} | {off:.1e} |")
        worker.__exit__()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slide = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "made.tif"
        if not slide.exists():
            make_slide(slide)
        compare(slide, folder)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        serve(Way(**json.loads(sys.argv[1])), Path(sys.argv[2]))
    else:
        main()
