"""What another stain, scanner or resolution costs: python benchmarks/other_scanner.py DATA.

One model per method learns her2st C2 to C4 and predicts C5 as it is, and as it might have been stained or scanned
elsewhere: the same tissue, so that the measured counts are still the truth. Prints a table. DATA is laid out as for
configs/her2st_c.toml.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.color import hed2rgb, rgb2hed
from skimage.transform import resize

import mclstexp as mx
from mclstexp.core.pearson import pearson_per_gene
from mclstexp.core.tiles import Slide, TileSpec
from mclstexp.io.read import read_sections

Change = Callable[[NDArray[np.float64], float], NDArray[np.float64]]
"""Takes a tile, 0 to 1, and its µm per pixel."""


@dataclass
class Changed(Slide):
    """A slide whose tiles look otherwise."""

    slide: Slide
    change: Change
    name: str

    def __post_init__(self) -> None:
        self.id, self.mpp, self.size_px = self.slide.id, self.slide.mpp, self.slide.size_px

    def read(self, xy: ArrayLike, spec: TileSpec) -> NDArray[np.uint8]:
        """Read a tile, changed."""
        tile = self.change(self.slide.read(xy, spec) / 255.0, spec.mpp)
        return (255 * np.clip(tile, 0, 1)).round().astype(np.uint8)

    def thumbnail(self, max_size_px: int) -> NDArray[np.uint8]:
        """Return the slide as it is."""
        return self.slide.thumbnail(max_size_px)

    def fingerprint(self) -> str:
        """Return a hash of slide and change."""
        return f"{self.slide.fingerprint()} {self.name}"


def stains(haematoxylin: float, eosin: float) -> Change:
    """Multiply the two dyes."""

    def change(tile: NDArray[np.float64], _mpp: float) -> NDArray[np.float64]:
        dyes = rgb2hed(tile)
        dyes[..., 0] *= haematoxylin
        dyes[..., 1] *= eosin
        return hed2rgb(dyes)

    return change


def scanned_at(mpp: float) -> Change:
    """Scan with pixels of so many µm, then enlarge to what is asked; views that are coarser anyway stay as they are."""

    def change(tile: NDArray[np.float64], asked: float) -> NDArray[np.float64]:
        if asked >= mpp:
            return tile
        side = max(1, round(len(tile) * asked / mpp))
        return resize(resize(tile, (side, side), anti_aliasing=True), tile.shape[:2], order=1)

    return change


CHANGES: dict[str, Change] = {
    "as it is": lambda tile, _: tile,
    "haematoxylin 1.3 times": stains(1.3, 1.0),
    "haematoxylin 0.7 times": stains(0.7, 1.0),
    "eosin 1.5 times": stains(1.0, 1.5),
    "both 0.7 times (pale)": stains(0.7, 0.7),
    "warmer light (red 1.05, blue 0.90)": lambda tile, _: tile * [1.05, 1.0, 0.9],
    "gamma 1.3 (another camera)": lambda tile, _: tile**1.3,
    "pixels of 1 µm, enlarged": scanned_at(1),
    "pixels of 2 µm, enlarged": scanned_at(2),
    "pixels of 4 µm, enlarged": scanned_at(4),
}


def main(data: Path) -> None:
    *train, test = read_sections(data / "her2st", format="her2st", sections=["C2", "C3", "C4", "C5"])
    genes = (data / "gene_lists" / "her2st_785.txt").read_text().split()
    space = mx.ExpressionSpace.fit(train, genes=genes)
    truth = space(test.counts)
    methods = {"mclstexp": {"symmetric": False}, "pls": {}, "ridge": {}}
    models = {
        name: mx.create(name, encoder="efficientnet_lite0", **options).fit(train, space=space)
        for name, options in methods.items()
    }
    print(f"| C5 seen | {' | '.join(models)} | distance to the nearest spot |\n|---|{'---:|' * (len(models) + 1)}")
    for name, change in CHANGES.items():
        tiles = replace(test.tiles, slide=Changed(test.tiles.slide, change, name))
        scores = [np.nanmean(pearson_per_gene(truth, model.predict(tiles).X)) for model in models.values()]
        distance = models["mclstexp"].reference_distance(tiles)
        print(f"| {name} | {' | '.join(f'{score:.3f}' for score in scores)} | {np.median(distance):.2f} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
