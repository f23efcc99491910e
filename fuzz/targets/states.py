"""What this package left for itself: caches, checkpoints, halves of runs; whatever happened to them, results stay."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from fuzz.case import Target
from mclstexp.api.models import load_model
from mclstexp.core.predictor import Predictor
from mclstexp.core.tiles import TileSpec
from mclstexp.evaluation import runner, worker
from mclstexp.evaluation.config import DataConfig, SyntheticConfig
from mclstexp.evaluation.experiment import Experiment
from mclstexp.evaluation.run_plan import Plan
from mclstexp.evaluation.runner import run_plan
from mclstexp.io.models import save_model
from mclstexp.methods import create
from mclstexp.whole_slide import one, stream
from mclstexp.whole_slide.batch import Batch, predict_job
from mclstexp.whole_slide.ledger import Ledger
from mclstexp.whole_slide.manifest import list_slides
from mclstexp.whole_slide.one import predict_slide_file
from mclstexp.whole_slide.settings import SlideSettings
from small_methods import ENCODER, small_sections

_SETTINGS = SlideSettings(mpp=4.0, stride_um=64.0)
_TRAINED = {"encoder": ENCODER, "epochs": 2, "k": 5, "n_components": 4, "dim": 4, "batch_size": 16, "n_models": 2}

_EXPERIMENT = Experiment(
    data=DataConfig(synthetic=SyntheticConfig(n_patients=2, n_spots_side=4, n_genes=12, mpp=4.0)),
    tile=TileSpec(32, 4.0),
    gene_sets={},
    encoder=ENCODER,
    methods={"nearest": {"method": "knn", "k": 3}},
)


def _digest(*arrays: Any) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _values(path: Path, name: str = "X") -> Any:
    with h5py.File(path) as file:
        return file[name][:] if name in file else 0


@cache
def _sections() -> Any:
    return small_sections(3, n_spots_side=4)


def _stop(n_events: int) -> Any:
    """Return a callback that ends a run as Ctrl-C would."""
    left = [n_events]

    def stop(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    return stop


def _make_cache(folder: Path) -> None:
    (folder / "cache").mkdir()
    os.environ["MCLSTEXP_CACHE"] = str(folder / "cache" / "kept")
    create("ridge", encoder=ENCODER, n_components=4).fit(_sections())


def _use_cache(folder: Path) -> str:
    os.environ["MCLSTEXP_CACHE"] = str(folder / "kept")
    model = create("ridge", encoder=ENCODER, n_components=4).fit(_sections())
    return _digest(model.predict(_sections()[0].tiles).X)


def _make_checkpoint(folder: Path) -> None:
    os.environ["MCLSTEXP_CACHE"] = str(folder / ".cache")
    (folder / "fit").mkdir()
    shutil.rmtree(folder / "fit")
    _fit(folder / "fit" / "work")


def _use_checkpoint(folder: Path) -> str:
    return _digest(_fit(folder / "work").predict(_sections()[0].tiles).X)


def _fit(workdir: Path) -> Predictor:
    return create("mclstexp", **_TRAINED).fit(_sections(), workdir=workdir)


def _undrawn() -> None:
    """Blocks of few tiles, and no pictures, which read nothing that was kept and take most of the time."""
    stream.BLOCK_TILES["cpu"] = 8
    one.draw_gene = lambda *_, out, **__: out.write_bytes(b"a picture")


def _make_resumed(folder: Path) -> None:
    _undrawn()
    os.environ["MCLSTEXP_CACHE"] = str(folder / ".cache")
    home = folder / "half"
    model = create("ridge", encoder=ENCODER, n_components=4).fit(_sections())
    save_model(model, home / "run")
    Image.fromarray(_sections()[0].tiles.slide.thumbnail(10_000)).save(home / "a.png")
    try:
        predict_slide_file(model, home / "a.png", out=home / "p.h5ad", settings=_SETTINGS, on_progress=_stop(3))
    except KeyboardInterrupt:
        return
    msg = "the run ended before it was interrupted"
    raise RuntimeError(msg)


def _use_resumed(folder: Path) -> str:
    _undrawn()
    out = folder / "p.h5ad"
    predict_slide_file(load_model(folder / "run"), folder / "a.png", out=out, settings=_SETTINGS)
    return _digest(_values(out), _values(out, "obs/reference_distance"))


def _make_batch(folder: Path) -> None:
    os.environ["MCLSTEXP_CACHE"] = str(folder / ".cache")
    home = folder / "two of three"
    save_model(create("ridge", encoder=ENCODER, n_components=4).fit(_sections()), home / "run")
    (home / "slides").mkdir()
    for name, section in zip("abc", _sections(), strict=True):
        Image.fromarray(section.tiles.slide.thumbnail(10_000)).save(home / "slides" / f"{name}.png")
    _run(home, n_slides=2)


def _use_batch(folder: Path) -> str:
    _run(folder, n_slides=3)
    return _digest(*(_values(folder / "out" / f"{name}.h5ad") for name in "abc"))


def _run(home: Path, *, n_slides: int) -> None:
    """Predict the slides one after the other in this process, as the processes of a batch do."""
    _undrawn()
    batch = Batch(str(home / "run"), str(home / "out"), jobs=list_slides(str(home / "slides")), settings=_SETTINGS)
    model = load_model(home / "run")
    ledger = Ledger(batch)
    for job in ledger.open(model)[:n_slides]:
        ledger.add(predict_job(model, job, batch))
    ledger.close()


def _half_judged(home: Path) -> Plan:
    """Return a small evaluation that runs in a folder, in this process."""
    plan = Plan(_EXPERIMENT, home / "run")
    plan.__dict__["sections"] = _drawn()  # a cached property; drawing them takes most of a case
    return plan


@cache
def _drawn() -> Any:
    return _EXPERIMENT.data.read(_EXPERIMENT.tile)


def _make_evaluation(folder: Path) -> None:
    os.environ["MCLSTEXP_CACHE"] = str(folder / ".cache")
    plan = _half_judged(folder / "all but one")
    parts = [(label, fold) for label in plan.methods for fold in plan.folds]
    for label, fold in parts[:-1]:
        worker.judge_part(plan, label, fold)
    plan.write()


def _use_evaluation(folder: Path) -> str:
    """Judge what is missing in this process; what it took in time and memory is no result."""
    plan = _half_judged(folder)

    def judge(_: Plan, todo: Mapping[str, list[str]], **__: object) -> dict[tuple[str, str], str]:
        for label, folds in todo.items():
            for fold in folds:
                worker.judge_part(plan, label, fold)
        return {}

    runner._compute = judge
    scores = run_plan(plan)
    kept = scores[~scores["metric"].isin(("seconds", "peak_mib"))]
    predictions = sorted((folder / "run" / "predictions").rglob("*.h5ad"))
    return _digest(kept["value"].to_numpy(float), *map(_values, predictions))


TARGETS = (
    Target("cache", _make_cache, _use_cache, files=("kept/**/*",), exact=True),
    Target("checkpoint", _make_checkpoint, _use_checkpoint, files=("work/**/*",), exact=True),
    Target("resumed", _make_resumed, _use_resumed, files=(".p.h5ad.partial/**/*",), exact=True),
    Target("batch", _make_batch, _use_batch, files=("out/*.h5ad", "out/*.csv", "out/.done/*"), exact=True),
    Target("evaluation", _make_evaluation, _use_evaluation, files=("run/**/*",), exact=True),
)
