"""The commands that are killed, on tiny made-up tissue, and how their results are compared."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import tifffile
import torch
from PIL import Image

from mclstexp.cli import run
from mclstexp.io.synthetic import make_sections
from mclstexp.whole_slide import stream
from mclstexp.whole_slide.batch import predict_job, read_model
from mclstexp.whole_slide.ledger import Ledger

_ENCODER: Final = "random:test_efficientnet"
_TILE: Final = ("--size-px", "32", "--mpp", "4")
_TIMES: Final = ("seconds", "tiles_per_second")


def _nothing(home: Path, place: Path) -> None:
    """Begin with an empty place."""


@dataclass(frozen=True)
class Command:
    """A command that writes into a place."""

    name: str
    run: Callable[[Path, Path], int]
    """Given the folder of inputs and the place, does it and returns the exit code."""
    before: Callable[[Path, Path], None] = _nothing
    """Puts into the place what is there before."""


def prepare(home: Path) -> None:
    """Make sections, slides and a model."""
    torch.set_num_threads(1)
    os.environ["MCLSTEXP_CACHE"] = str(home / "cache")
    os.environ["TQDM_DISABLE"] = "1"
    sections = make_sections(3, n_spots_side=5, mpp=4.0, n_genes=12, seed=1)
    (home / "slides").mkdir()
    for section in sections:
        counts = section.counts.copy()
        counts.obsm["spatial"] = np.asarray(section.tiles.xy)
        folder = home / "sections" / section.id
        folder.mkdir(parents=True)
        counts.write_h5ad(folder / f"{section.id}.h5ad")
        pixels = Image.fromarray(section.tiles.slide.thumbnail(10_000))
        pixels.save(folder / f"{section.id}.png")
        pixels.save(home / "slides" / f"{section.id}.png")
    stream.BLOCK_TILES = {"cpu": 16, "cuda": 16}
    ended = _fit(home, home)
    assert ended == 0, "the model of the predictions cannot be fitted"


def _said(*words: object) -> int:
    return run([str(word) for word in words])


def _section(home: Path, number: int) -> tuple[object, ...]:
    folder = sorted((home / "sections").iterdir())[number]
    image = ("--image", folder / f"{folder.name}.png", "--slide-mpp", 4)
    return folder / f"{folder.name}.h5ad", *image, "--patients", f"{folder.name}={folder.name}"


def _fit(home: Path, place: Path) -> int:
    options = ("--option", "epochs=3", "--option", "dim=8", "--option", "batch_size=8", "--option", "n_models=1")
    words = ("fit", "mclstexp", *_section(home, 0), "--encoder", _ENCODER, "--option", "k=5", *options, *_TILE)
    return _said(*words, "--seed", 1, "--out", place / "model")


def _fit_again(home: Path, place: Path) -> int:
    return _said("fit", "mean", *_section(home, 0), *_TILE, "--out", place / "model", "--overwrite")


def _slide(home: Path, place: Path) -> int:
    slide = sorted((home / "slides").iterdir())[0]
    words = ("--slide-mpp", 4, "--stride-um", 64, "--heatmap", "TUMOUR1")
    return _said("predict", home / "model", slide, *words, "--out", place / "p.h5ad")


def _sections(home: Path, place: Path) -> int:
    return _said("predict", home / "model", *_section(home, 1), "--out", place / "out")


def _batch(home: Path, place: Path) -> int:
    """Do in this process what `predict` of many slides has others do."""
    from mclstexp.whole_slide.batch import Batch
    from mclstexp.whole_slide.manifest import list_slides
    from mclstexp.whole_slide.settings import SlideSettings

    settings = SlideSettings(mpp=4.0, stride_um=64.0)
    batch = Batch(str(home / "model"), str(place / "out"), tuple(list_slides(str(home / "slides"))), settings)
    model, ledger = read_model(batch.run), Ledger(batch)
    with ledger.at_work():
        for job in ledger.open(model):
            ledger.add(predict_job(model, job, batch))
        return int("failed" in set(ledger.close()["state"]))


def _put(home: Path, place: Path) -> None:
    shutil.copytree(home / "model", place / "model")


COMMANDS: Final = (
    Command("fit", _fit),
    Command("fit --overwrite", _fit_again, _put),
    Command("predict a slide", _slide),
    Command("predict sections", _sections),
    Command("predict many slides", _batch),
)


def equal(found: Path, expected: Path) -> str:
    """Say what differs between two folders, times aside; nothing if nothing does."""
    names = [{path.relative_to(folder).as_posix() for path in folder.rglob("*")} for folder in (found, expected)]
    if names[0] != names[1]:
        return f"there is {sorted(names[0] - names[1])} too much and {sorted(names[1] - names[0])} too little"
    for name in sorted(names[0]):
        one, other = found / name, expected / name
        if one.is_file() and one.read_bytes() != other.read_bytes() and _timeless(one) != _timeless(other):
            return f"{name} differs"
    return ""


def _timeless(path: Path) -> Any:
    if path.name.startswith("summary") and path.suffix == ".csv":
        table = pd.read_csv(path)
        return table.drop(columns=[*_TIMES, "state"]).to_csv()
    if path.name == "model.json":
        content = json.loads(path.read_text(encoding="utf-8"))
        for name in ("seconds", "fitted", "time"):
            content["provenance"].pop(name, None)
        return content
    if path.name.endswith(".ome.tif"):  # each has a name of its own
        return tifffile.imread(path).tobytes()
    return path.read_bytes()
