"""Pictures of `mclstexp view`, beside OpenSlide's own DeepZoomGenerator in one run.

Run `python benchmarks/view_tiles.py [SLIDE]`; without one a pyramidal TIFF of 4,480 x 4,480 pixels is made. Both cut
the same pictures (512 px, no overlap, levels that halve) at random places of every level, and encode them as JPEG of
quality 90 without subsampling. Rounds alternate on the same places; medians are compared. Counted is processor time,
of all threads, so that a busy machine does not change the ratio much.

`python benchmarks/view_tiles.py SLIDE check` compares every picture that is read by 16 threads at once with what one
thread reads, and counts those that differ.
"""

import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from openslide import OpenSlide
from openslide.deepzoom import DeepZoomGenerator

from mclstexp.core.errors import InputError
from mclstexp.io.slides import open_slide
from mclstexp.report.viewer_tiles import TILE_PX, TilePyramid
from whole_slide import write_slide

N_PICTURES, N_ROUNDS, THREADS = 12, 5, 6  # as many as a browser asks with
Place = tuple[int, int, int]


def main(slide: Path, *, check: bool) -> None:
    pyramid, theirs = TilePyramid(open_slide(slide)), DeepZoomGenerator(OpenSlide(slide), TILE_PX, overlap=0)
    places = everywhere(pyramid)
    if check:
        print(f"{differing(slide, places)} of {len(places)} pictures differ when 16 threads read")
        return
    rng = np.random.default_rng(0)
    levels = range(pyramid.max_level + 1)
    ahead = theirs.level_count - 1 - pyramid.max_level  # DeepZoom goes on until one pixel is left
    print(f"{slide.name}: {N_PICTURES} pictures a level, median of {N_ROUNDS} rounds, ms of processor time a picture\n")
    print("| level | DeepZoomGenerator | viewer | pictures a second, ratio |\n|---:|---:|---:|---:|")
    for level in levels:
        here = [place for place in places if place[0] == level]
        chosen = [here[at] for at in rng.integers(len(here), size=N_PICTURES)]
        costs: tuple[list[float], list[float]] = ([], [])
        for _ in range(N_ROUNDS):
            costs[0].append(cost(lambda place: deep_zoom(theirs, place, ahead), chosen))
            costs[1].append(cost(lambda place: pyramid._encode(*place), chosen))  # what is kept is not asked
        first, second = map(statistics.median, costs)
        print(f"| {level} | {1e3 * first:.1f} | {1e3 * second:.1f} | {first / second:.2f} |")


def cost(cut: Callable[[Place], object], places: list[Place]) -> float:
    started = time.process_time()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(cut, places))
    return (time.process_time() - started) / len(places)


def deep_zoom(generator: DeepZoomGenerator, place: Place, ahead: int) -> bytes:
    level, column, row = place
    written = io.BytesIO()
    picture = generator.get_tile(level + ahead, (column, row))
    picture.save(written, "JPEG", quality=90, subsampling=0)
    return written.getvalue()


def everywhere(pyramid: TilePyramid) -> list[Place]:
    """List all pictures of all levels."""
    places = []
    for level in range(pyramid.max_level + 1):
        for column in range(2**level):
            for row in range(2**level):
                try:
                    pyramid.tile_size_px(level, column, row)
                except InputError:
                    break
                places.append((level, column, row))
    return places


def differing(slide: Path, places: list[Place]) -> int:
    """Count the pictures that are not what one thread alone reads."""
    alone = TilePyramid(open_slide(slide))
    once = [alone._encode(*place) for place in places]
    together = TilePyramid(open_slide(slide))
    order = np.random.default_rng(0).permutation(4 * len(places)) % len(places)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda at: together._encode(*places[at]), order))
    return len({int(at) for at, picture in zip(order, found, strict=True) if picture != once[at]})


if __name__ == "__main__":
    words = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(words[0]) if words else write_slide(Path(folder) / "slide.tif", n_side=20, inside=False)
        main(path, check="check" in words)
