"""DenseNet-121 on this machine's CPU: images per second of each way to run it, against eager float32.

Run `python benchmarks/bench_encoder.py`. Tiles of 224 px in batches of 32, random weights. Each way runs in a
process of its own, for the allocator's setting cannot be undone. The rows of `embed_tiles` are the whole path:
reading tiles from a slide, preprocessing, network, in batches of its own size; the other rows start from tiles in
memory. The relative error is |features - eager's| / |eager's|; the last column is the time until the first result,
making the network included. OpenVINO is measured where it is installed.
"""

import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mclstexp.core.tiles import Tiles, TileSpec
from mclstexp.io.slides import ArraySlide
from mclstexp.nn.cpu import fast_dtype, prepare_cpu
from mclstexp.nn.image_encoders import create_encoder
from mclstexp.sight.embed import embed_tiles

NAME, SIZE_PX, BATCH, N_BATCHES, N_ROUNDS = "random:densenet121", 224, 32, 4, 5
Run = Callable[[], np.ndarray]


def make_tiles() -> Tiles:
    """Coarse noise, blown up: flat enough to be like tissue, different in every tile."""
    coarse = np.random.default_rng(0).integers(0, 256, (BATCH * 14, N_BATCHES * 14, 3), dtype=np.uint8)
    slide = ArraySlide(coarse.repeat(16, axis=0).repeat(16, axis=1), mpp=0.5, id="noise")
    return Tiles.grid(slide, spec=TileSpec(SIZE_PX, 0.5))


def torch_way(*, channels_last: bool = False, bfloat16: bool = False, allocator: bool = False) -> Run:
    if allocator:
        prepare_cpu()
    tiles, encoder = make_tiles(), create_encoder(NAME)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    encoder.to(memory_format=layout)
    images = torch.from_numpy(np.stack([tiles.read(i) for i in range(len(tiles))])).permute(0, 3, 1, 2)
    images = images.contiguous(memory_format=layout)

    def run() -> np.ndarray:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            return torch.cat([encoder(part) for part in images.split(BATCH)]).numpy()

    return run


def openvino_way(precision: str) -> Run:
    import openvino as ov

    tiles, encoder = make_tiles(), create_encoder(NAME)
    images = np.stack([tiles.read(i) for i in range(len(tiles))]).transpose(0, 3, 1, 2)
    example = torch.zeros((BATCH, 3, SIZE_PX, SIZE_PX), dtype=torch.uint8)
    model = ov.convert_model(encoder, example_input=example, input=[list(example.shape)])
    compiled = ov.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    batches = [np.ascontiguousarray(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
    return lambda: np.concatenate([compiled(batch)[0].copy() for batch in batches])


def embed_way(precision: str) -> Run:
    tiles, encoder = make_tiles(), create_encoder(NAME)
    return lambda: embed_tiles(tiles, encoder, precision=precision)


def cached_way() -> Run:
    tiles, folder = make_tiles(), tempfile.TemporaryDirectory()

    def run(_keep: tempfile.TemporaryDirectory = folder) -> np.ndarray:
        return embed_tiles(tiles, NAME, cache_dir=Path(folder.name))

    return run


WAYS: dict[str, Callable[[], Run]] = {
    "eager float32": torch_way,
    "eager float32, allocator": lambda: torch_way(allocator=True),
    "channels-last float32": lambda: torch_way(channels_last=True),
    "channels-last float32, allocator": lambda: torch_way(channels_last=True, allocator=True),
    "bfloat16": lambda: torch_way(bfloat16=True),
    "channels-last bfloat16": lambda: torch_way(channels_last=True, bfloat16=True),
    "channels-last bfloat16, allocator": lambda: torch_way(channels_last=True, bfloat16=True, allocator=True),
    "OpenVINO float32": lambda: openvino_way("f32"),
    "OpenVINO bfloat16": lambda: openvino_way("bf16"),
    "embed_tiles, float32": lambda: embed_way("float32"),
    "embed_tiles, auto": lambda: embed_way("auto"),
    "embed_tiles, second time": cached_way,
}


def measure(way: str, file: Path) -> None:
    """In a process of its own: run one way, keep its features, print its numbers."""
    start = time.perf_counter()
    run = WAYS[way]()
    np.save(file, run())
    first_s = time.perf_counter() - start
    seconds = []
    for _ in range(N_ROUNDS):
        start = time.perf_counter()
        n_images = len(run())
        seconds.append(time.perf_counter() - start)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rate": n_images / statistics.median(seconds), "peak_mib": peak_mib, "first_s": first_s}))


def main() -> None:
    ways = [way for way in WAYS if "OpenVINO" not in way or importlib.util.find_spec("openvino")]
    native = str(fast_dtype()).removeprefix("torch.")
    print(f"{torch.get_num_threads()} threads, {native} is native, torch {torch.__version__}")
    print(f"{'':36}{'images/s':>10}{'ratio':>10}{'rel. error':>12}{'peak MiB':>10}{'first s':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for number, way in enumerate(ways):
            file = Path(folder) / f"{number}.npy"
            command = [sys.executable, __file__, way, str(file)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found, features = json.loads(done.stdout.splitlines()[-1]), np.load(file)
            if number == 0:
                eager, slow = features, found["rate"]
            error = np.linalg.norm(features - eager) / np.linalg.norm(eager)
            rate = found["rate"]
            row = f"{way:36}{rate:10.1f}{rate / slow:10.2f}{error:12.1e}"
            print(f"{row}{found['peak_mib']:10.0f}{found['first_s']:9.1f}", flush=True)


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else measure(sys.argv[1], Path(sys.argv[2]))
