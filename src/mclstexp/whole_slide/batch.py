"""What many slides have in common, and one of them predicted: the same in a process, and on a cluster."""

from __future__ import annotations

import dataclasses
import importlib
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from mclstexp.core.doors import Door, outer_door, through
from mclstexp.core.errors import InputError
from mclstexp.core.predictor import Predictor
from mclstexp.io.models import load_model
from mclstexp.methods import list_methods
from mclstexp.whole_slide.manifest import SlideJob, parse_shard, shard
from mclstexp.whole_slide.one import SUFFIX, SlideSummary
from mclstexp.whole_slide.places import Place
from mclstexp.whole_slide.records import slide_key
from mclstexp.whole_slide.remote import at_hand
from mclstexp.whole_slide.settings import SlideSettings
from mclstexp.whole_slide.stream import OnProgress, model_key


@dataclass(frozen=True)
class Batch:
    """Many slides for one model.

    Raises
    ------
    InputError
        If the part is written otherwise than i/n, or `out` is named like a single result.
    """

    run: str
    """Folder of the fitted model."""
    out: str
    """Folder of the results, or its URL."""
    jobs: tuple[SlideJob, ...] = ()
    """The slides, all of them, see `mclstexp.whole_slide.manifest.list_slides`."""
    settings: SlideSettings = field(default_factory=SlideSettings)
    """For all slides; a job's own mpp and mask count for more."""
    shard: str | None = None
    """Part of the slides that is done here, as "2/8"; all by default."""
    overwrite: bool = False
    """Whether earlier results are replaced."""
    predict: str = "mclstexp.whole_slide.one:predict_slide_file"
    """"module:function" that predicts one slide, with the arguments of the default."""
    door: Door = field(default_factory=outer_door)
    """The door it came through, in whose words a process is to speak."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "jobs", tuple(self.jobs))
        if self.shard is not None:
            parse_shard(self.shard)
        if self.out.rstrip("/").endswith(tuple(SUFFIX.values())):
            msg = f"a folder for the predictions of {len(self.jobs)} slides expected, found {self.out}: name a folder"
            raise InputError(msg)

    @cached_property
    def place(self) -> Place:
        """Where results go."""
        return Place(self.out)

    @property
    def suffix(self) -> str:
        """Ending of a slide's main result."""
        return SUFFIX[self.settings.format]

    @property
    def mine(self) -> list[SlideJob]:
        """The slides of this part."""
        return list(self.jobs) if self.shard is None else shard(self.jobs, self.shard)

    @property
    def label(self) -> str:
        """What stands in the names of this part's tables: ".2of8"."""
        return "" if self.shard is None else ".{}of{}".format(*parse_shard(self.shard))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON of all but the slides."""
        return {**dataclasses.asdict(self), "jobs": ()}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Batch:
        """Read what `to_dict` returned."""
        return cls(**{**content, "settings": SlideSettings(**content["settings"])})


@dataclass(frozen=True)
class Outcome:
    """What became of one slide of many."""

    name: str
    """Its name."""
    slide: str
    """Where it lies."""
    state: Literal["done", "skipped", "failed"]
    """"skipped": an earlier run had done it;"""
    tiles: int | None = None
    """Tiles predicted."""
    unreadable: int | None = None
    """Of these, tiles that could not be decoded."""
    tissue_mm2: float | None = None
    """Area of the tissue."""
    seconds: float | None = None
    """Time of this run, fetching and sending included."""
    resumed: int | None = None
    """Tiles that an earlier run had done."""
    reason: str = ""
    """Why it failed, or what the user should know of it."""
    key: str = ""
    """What its result depends on, if it is done; see `mclstexp.whole_slide.records.slide_key`."""


def read_model(run: Path | str) -> Predictor:
    """Read the model of a batch."""
    return load_model(run, methods=list_methods())


def failed(job: SlideJob, reason: str, *, seconds: float | None = None) -> Outcome:
    """Say that a slide failed, and why, in one line."""
    return Outcome(job.name, job.source, "failed", seconds=seconds, reason=" ".join(reason.split()))


def predict_job(model: Predictor, job: SlideJob, batch: Batch, *, on_progress: OnProgress | None = None) -> Outcome:
    """Predict one slide of a batch; whatever is wrong with it is its outcome, and no error.

    Parameters
    ----------
    model
        The batch's model, loaded.
    job
        The slide.
    batch
        What all slides have in common.
    on_progress
        Called with (tiles done, tiles in all).
    """
    started = time.monotonic()
    try:
        key = slide_key(model_key(model), job, batch.settings)
        summary = _predict(model, job, batch, on_progress)
    except InputError as error:
        return failed(job, str(error), seconds=time.monotonic() - started)
    except Exception as error:  # noqa: BLE001  a bug that one slide brings out must not stop the others
        traceback.print_exc()
        text = f"unexpected error ({type(error).__name__}: {error})"
        return failed(job, text, seconds=time.monotonic() - started)
    return Outcome(
        job.name,
        job.source,
        "done",
        tiles=summary.n_tiles,
        unreadable=summary.n_unreadable,
        tissue_mm2=summary.tissue_mm2,
        seconds=time.monotonic() - started,
        resumed=summary.n_resumed,
        reason="; ".join(said for said in (summary.note, *summary.doubts) if said),
        key=key,
    )


def _predict(model: Predictor, job: SlideJob, batch: Batch, on_progress: OnProgress | None) -> SlideSummary:
    module, _, name = batch.predict.partition(":")
    predict: Callable[..., SlideSummary] = getattr(importlib.import_module(module), name)
    settings = batch.settings
    with through(batch.door), at_hand(job, batch.place, suffix=batch.suffix, mask=job.mask or settings.mask) as here:
        return predict(
            model,
            here.slide,
            out=here.out,
            settings=replace(settings, name=job.name, mpp=job.mpp or settings.mpp, mask=here.mask),
            workdir=here.workdir,
            overwrite=True,  # what is there and to be kept is not asked for, see `Ledger.open`
            on_progress=on_progress,
        )
