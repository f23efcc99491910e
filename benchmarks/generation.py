"""Painted tiles beside real ones, and what they are good for: the tables and the picture of docs/generate.md.

Run `python benchmarks/generation.py DATA OUT`, with DATA the folder that CONTRIBUTING.md describes and OUT one for the
generator, the tables and the picture. The generator learns from the tiles of the first mouse of mob_2k (two sections);
the second mouse is held out of everything. Tiles are 224 µm wide, painted in 32 pixels. `--only quality`, `augment` or
`picture` does one part.

Quality: 64 tiles are asked for by the features of the first mouse's tiles, and 64 by the second's. Beside what the
generator paints stand the tile itself (in the same 32 pixels: the most that can be reached), the training tile whose
features are nearest, and any training tile. Crowds are compared with 64 other tiles of the mouse that was asked.

Augmentation: methods learn from a tenth of the first mouse's spots (79), three times drawn, alone; with as many painted
tiles, asked for by the features of these spots; with painted tiles that carry other spots' counts; and from a fifth.
The generator has seen all tiles of the first mouse, and no counts. Scores are of the second mouse.
"""

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import mclstexp as mx
from mclstexp.api.generation import grid_tiles
from mclstexp.core.expression import ExpressionSpace
from mclstexp.core.generator import Generator
from mclstexp.core.section import Section
from mclstexp.evaluation.config import DataConfig
from mclstexp.evaluation.metrics import pcc
from mclstexp.generation.augment import shuffled
from mclstexp.generation.pictures import pictures_of_tiles
from mclstexp.generation.quality import (
    components,
    density_and_coverage,
    features_of_pictures,
    frechet_distance,
    share_by_heart,
    similarity,
)
from mclstexp.plotting.painted import plot_painted

SPEC = mx.TileSpec(224, 1.0)
MPP = 3.5
"""µm per pixel of mob_2k's images: about, for nothing states it."""
ENCODER = "efficientnet_lite0"
SIDE_PX = 32
"""A quarter of the work of 64, and half of what the images hold."""
GENE = "Penk"
"""Of the granule cells in the middle of the bulb."""
N, N_COMPONENTS = 64, 16
METHODS: dict[str, dict[str, Any]] = {
    "ridge": {"encoder": ENCODER},
    "mclstexp": {"encoder": ENCODER, "view_widths": (), "context_radii_um": ()},
}
warnings.filterwarnings("ignore", ".*counts.*")


def pictures_and_features(sections: list[Section], generator: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return all tiles of sections as the generator paints them, and the features that it is asked by."""
    tiles = [section.tiles for section in sections]
    pictures = np.concatenate([pictures_of_tiles(part, generator.made_) for part in tiles])
    return pictures, np.concatenate([generator.look(part) for part in tiles])


def quality(train: list[Section], test: list[Section], fitted: dict[str, Generator]) -> pd.DataFrame:
    """Compare what is painted with what was asked for, and with other tiles."""
    generator, rows = fitted["diffusion"], []
    known: dict[tuple[str, bytes], np.ndarray] = {}

    def seen(pictures: np.ndarray, encoder: str) -> np.ndarray:
        """Return features of pictures; one that was seen before is not embedded again."""
        names = [(encoder, picture.tobytes()) for picture in pictures]
        new = {name: picture for name, picture in zip(names, pictures, strict=True) if name not in known}
        if new:
            found = features_of_pictures(np.stack([*new.values()]), mpp=generator.made_.mpp, spec=SPEC, encoder=encoder)
            known.update(zip(new, found, strict=True))
        return np.stack([known[name] for name in names])

    taught, taught_features = pictures_and_features(train, generator)
    taught_seen = seen(taught, ENCODER)
    rng = np.random.default_rng(0)
    others, _ = pictures_and_features(test, generator)
    held_out = seen(others[rng.permutation(len(others))[:N]], ENCODER)
    for mouse, sections in {"the first mouse": train, "the second mouse": test}.items():
        pictures, features = pictures_and_features(sections, generator)
        order = np.random.default_rng(0).permutation(len(pictures))[::-1]
        asked, reference = order[:N], seen(pictures[order[N : 2 * N]], ENCODER)
        like = seen(pictures[asked], "colour")
        answers = {"the tile itself": pictures[asked]}
        answers |= {name: one.generate(features[asked]) for name, one in fitted.items()}
        for name, made in answers.items():
            found, stain = seen(made, ENCODER), seen(made, "colour")
            crowd, others_there = components(taught_seen, found, reference, n=N_COMPONENTS)
            density, coverage = density_and_coverage(others_there, crowd)
            shuffle = np.roll(np.arange(N), 1)
            rows.append(
                {
                    "asked": mouse,
                    "answer": name,
                    "similarity": similarity(features[asked], found, like=taught_features).mean(),
                    "shuffled": similarity(features[asked][shuffle], found, like=taught_features).mean(),
                    "stain": similarity(like, stain, like=like).mean(),
                    "distance": frechet_distance(crowd, others_there),
                    "density": density,
                    "coverage": coverage,
                    "by heart": share_by_heart(*components(taught_seen, taught_seen, held_out, found, n=N_COMPONENTS)),
                }
            )
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def augmentation(train: list[Section], test: list[Section], generator: Generator, n_draws: int) -> pd.DataFrame:
    """Score methods that learn from few spots, with and without painted tiles beside them."""
    rows, space = [], ExpressionSpace.fit(train)
    for draw in range(n_draws):
        rng = np.random.default_rng(draw)
        orders = [rng.permutation(len(section)) for section in train]

        def share(part: float, orders: list[np.ndarray] = orders) -> list[Section]:
            return [one.take(order[: round(part * len(one))]) for one, order in zip(train, orders, strict=True)]

        few = share(0.1)
        painted = mx.augment(few, generator, seed=draw)
        arms = {
            "a tenth": few,
            "a tenth and painted": [*few, *painted],
            "a tenth and painted, counts shuffled": [*few, *(shuffled(one, seed=draw) for one in painted)],
            "a fifth": share(0.2),
        }
        for method, options in METHODS.items():
            for arm, sections in arms.items():
                model = mx.create(method, **options).fit(sections, space=space)
                scores = [np.nanmean(pcc(space(one.counts), model.predict(one.tiles).X)) for one in test]
                rows.append({"method": method, "arm": arm, "draw": draw, "pcc": float(np.mean(scores))})
                print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def draw_tiles(train: list[Section], test: list[Section], generator: Generator, out: Path) -> None:
    """Draw measured and painted tiles side by side."""
    rows = []
    for name, section in {"first mouse": train[0], "second mouse, held out": test[0]}.items():
        some = section.take(np.linspace(20, len(section) - 20, 6).astype(int))
        measured = pictures_of_tiles(some.tiles, generator.made_)
        rows.append((name, measured, mx.generate(generator, some)))
    plot_painted(rows, mpp=generator.made_.mpp)[0, 0].figure.savefig(out / "painted.png", dpi=200)


def draw_gene(train: list[Section], generator: Generator, out: Path, gene: str) -> None:
    """Draw what tissue looks like along a gene, as it was measured."""
    try:
        found = mx.generate_gene(generator, train, gene, n=6)
    except mx.InputError as error:  # where expression tells nothing of tissue's look
        print(error)
        return
    names = [f"{gene} at {quantile:g}" for quantile in found.quantiles]
    rows = [*zip(names, found.measured, found.painted, strict=True)]
    plot_painted(rows, mpp=generator.made_.mpp)[0, 0].figure.savefig(out / "gene.png", dpi=200)
    print(f"expression tells R² = {found.told:.3f} of the features of the section that is left out")


def draw_slide(test: list[Section], generator: Generator, out: Path) -> None:
    """Draw the middle of a held-out slide, and the slide that is painted for its features."""
    tiles = grid_tiles(test[0], rows=4, columns=4, spec=SPEC)
    real = pictures_of_tiles(tiles, generator.made_).reshape(4, 4, SIDE_PX, SIDE_PX, 3).swapaxes(1, 2)
    real = real.reshape(4 * SIDE_PX, 4 * SIDE_PX, 3)
    made = mx.generate_slide(generator, test[0], rows=4, columns=4, endless=True).pixels
    row = ("4 by 4 tiles of the second mouse", real[None], made[None])
    plot_painted([row], mpp=generator.made_.mpp)[0, 0].figure.savefig(out / "slide.png", dpi=100)


def main() -> None:
    """Fit, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=["quality", "augment", "picture"])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--steps", type=int, default=800)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    first = DataConfig(path=str(given.data / "mob_2k"), mpp=MPP, sections=("MOB1", "MOB2"))
    made = {name: mx.create_generator(name, side_px=SIDE_PX) for name in ("nearest_tile", "random_tile")}
    made = {"diffusion": mx.create_generator(side_px=SIDE_PX, max_steps=given.steps), **made}
    fitted = {  # what is there is taken as it is
        name: mx.load_generator(given.out / name)
        if (given.out / name).exists()
        else mx.fit_generator(first, one, out=given.out / name, spec=SPEC)
        for name, one in made.items()
    }
    print(f"{time.process_time():.0f} processor seconds until generators were fitted, or read")
    train = first.read(SPEC)
    test = mx.read_sections(given.data / "mob_2k", mpp=MPP, sections=["MOB3", "MOB4"], spec=SPEC)
    if given.only in (None, "quality"):
        table = quality(train, test, fitted)
        table.to_csv(given.out / "quality.csv", index=False)
        print(table.round(3).to_string(index=False))
    if given.only in (None, "augment"):
        scores = augmentation(train, test, fitted["diffusion"], given.draws)
        scores.to_csv(given.out / "augmentation.csv", index=False)
        print(scores.groupby(["method", "arm"], sort=False)["pcc"].agg(["mean", "min", "max"]).round(3))
    if given.only in (None, "picture"):
        draw_tiles(train, test, fitted["diffusion"], given.out)
        draw_slide(test, fitted["diffusion"], given.out)
        draw_gene(train, fitted["diffusion"], given.out, GENE)


if __name__ == "__main__":
    main()
