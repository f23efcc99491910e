"""The commands that are killed, on tiny made-up tissue, and how their results are compared."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import torch
from PIL import Image

from mclstexp.cli import run
from mclstexp.core.errors import InputError
from mclstexp.evaluation import harness, runner, worker
from mclstexp.evaluation.run_plan import Plan
from mclstexp.io.synthetic import make_sections
from mclstexp.plotting import figures
from mclstexp.report import page_figures
from mclstexp.whole_slide import stream
from mclstexp.whole_slide.batch import predict_job, read_model
from mclstexp.whole_slide.ledger import Ledger

_ENCODER: Final = "random:test_efficientnet"
_TILE: Final = ("--size-px", "32", "--mpp", "4")
_TIMES: Final = ("seconds", "tiles_per_second")
_EXPERIMENT: Final = """
encoder = "random:test_efficientnet"
[data]
path = "{sections}"
[tile]
size_px = 32
mpp = 4.0
[folds]
by = "section"
[gene_sets]
top = {{ heg = 3 }}
[methods]
mean = {{}}
knn = {{ k = 2 }}
"""


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
    for name in ("sections", "slides"):
        (home / name).mkdir()
    for section in sections:
        counts = section.counts.copy()
        counts.obsm["spatial"] = np.asarray(section.tiles.xy)
        counts.uns["mpp"] = 4.0
        counts.write_h5ad(home / "sections" / f"{section.id}.h5ad")
        pixels = Image.fromarray(section.tiles.slide.thumbnail(10_000))
        pixels.save(home / "sections" / f"{section.id}.png")
        pixels.save(home / "slides" / f"{section.id}.png")
    (home / "experiment.toml").write_text(_EXPERIMENT.format(sections=home / "sections"), encoding="utf-8")
    words = (*_section(home, 0), "--encoder", _ENCODER, "--option", "k=2", *_TILE)
    assert _said("fit", "knn", *words, "--out", home / "neighbours") == 0, "the model of slides cannot be fitted"
    _make_quick()
    for command in COMMANDS:  # also imports, and computes features, once for all forks
        before = home / "warm" / command.name
        before.mkdir(parents=True)
        command.before(home, before)
        ended = command.run(home, before)
        assert ended == 0, f"undisturbed {command.name} ended with {ended}"
        for name in ("model", "results"):
            if (before / name).is_dir() and not (home / name).exists():
                shutil.copytree(before / name, home / name)
    shutil.rmtree(home / "warm")


def _make_quick() -> None:
    """Small blocks, no other processes, few drawings, and nothing timed: what takes long and is written at once."""
    stream.BLOCK_TILES = {"cpu": 8, "cuda": 8}
    runner._compute = _judge_here
    cost, draw_figures = harness.cost, figures.draw_figures
    harness.cost = lambda *given, **named: cost(*given, **named).assign(value=0.0)
    figures.draw_figures = lambda *given: dict(list(draw_figures(*given).items())[:1])
    nothing = page_figures.Drawing("data:,", "nothing", "nothing")
    page_figures.draw_errors = page_figures.draw_ranking = lambda *_: nothing
    page_figures.draw_methods = lambda _: []


def _judge_here(plan: Plan, todo: Mapping[str, list[str]], **_: object) -> dict[tuple[str, str], str]:
    """Do in this process what `evaluate` has others do."""
    for label, folds in todo.items():
        for fold in folds:
            worker.judge_part(plan, label, fold)
    return {}


def _said(*words: object) -> int:
    return run([str(word) for word in words])


def _section(home: Path, number: int) -> tuple[object, ...]:
    file = sorted((home / "sections").glob("*.h5ad"))[number]
    return file, "--image", file.with_suffix(".png"), "--slide-mpp", 4, "--patients", f"{file.stem}={file.stem}"


def _fit(home: Path, place: Path) -> int:
    options = ("--option", "epochs=3", "--option", "dim=8", "--option", "batch_size=8", "--option", "n_models=1")
    words = ("fit", "mclstexp", *_section(home, 0), "--encoder", _ENCODER, "--option", "k=5", *options, *_TILE)
    return _said(*words, "--seed", 1, "--out", place / "model")


def _fit_again(home: Path, place: Path) -> int:
    return _said("fit", "mean", *_section(home, 0), *_TILE, "--out", place / "model", "--overwrite")


def _generator(home: Path, place: Path) -> int:
    options = {"encoder": _ENCODER, "side_px": 16, "n_latent": 6, "context_dim": 8, "mults": [1], "attention_at": [1]}
    options |= {"max_steps": 6, "batch_size": 8}
    given = [word for name, value in options.items() for word in ("--option", f"{name}={value}")]
    return _said("generate", "fit", *_section(home, 0), *_TILE, *given, "--out", place / "generator")


def _slide(home: Path, place: Path) -> int:
    slide = sorted((home / "slides").iterdir())[0]
    words = ("--slide-mpp", 4, "--stride-um", 80, "--heatmap", "TUMOUR1")
    return _said("predict", home / "neighbours", slide, *words, "--out", place / "p.h5ad")


def _sections(home: Path, place: Path) -> int:
    return _said("predict", home / "model", *_section(home, 1), "--out", place / "out")


def _batch(home: Path, place: Path) -> int:
    """Do in this process what `predict` of many slides has others do."""
    from mclstexp.whole_slide.batch import Batch
    from mclstexp.whole_slide.manifest import list_slides
    from mclstexp.whole_slide.settings import SlideSettings

    settings = SlideSettings(mpp=4.0, stride_um=96.0)
    batch = Batch(str(home / "neighbours"), str(place / "out"), tuple(list_slides(str(home / "slides"))), settings)
    model, ledger = read_model(batch.run), Ledger(batch)
    try:
        with ledger.at_work():
            for job in ledger.open(model):
                ledger.add(predict_job(model, job, batch))
            table = ledger.close()
    except InputError as error:
        print(error)
        return 2
    print(*table["reason"][table["state"] == "failed"], sep="\n")
    return 2 * int("failed" in set(table["state"]))


def _evaluate(home: Path, place: Path) -> int:
    return _said("evaluate", home / "experiment.toml", "--out", place / "results")


def _report(home: Path, place: Path) -> int:
    return _said("report", home / "results", "--out", place / "page.html")


def _put(home: Path, place: Path) -> None:
    shutil.copytree(home / "model", place / "model")


COMMANDS: Final = (
    Command("fit", _fit),
    Command("fit --overwrite", _fit_again, _put),
    Command("predict a slide", _slide),
    Command("predict sections", _sections),
    Command("predict many slides", _batch),
    Command("evaluate", _evaluate),
    Command("report", _report),
    Command("generate fit", _generator),
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
        return pd.read_csv(path).drop(columns=[*_TIMES, "state"], errors="ignore").to_csv()
    if path.name == "model.json":
        content = json.loads(path.read_text(encoding="utf-8"))
        for name in ("seconds", "fitted", "time"):
            content["provenance"].pop(name, None)
        return content
    return path.read_bytes()
